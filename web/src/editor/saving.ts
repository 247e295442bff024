/**
 * What becomes of an open graph when something happens to it or to its file, as a pure function.
 *
 * Three graphs matter: what was saved last (`saved`), what is shown, and, where somebody else has written the file in
 * a way that does not go together with ours, what they wrote (`theirs`). No event may lose what is shown.
 */

import { edited, type History } from '@/graph/history';
import type { GraphSpec } from '@/graph/model';
import type { Checked, EditorState, Saved, SaveState } from './store';

/** What can happen beside edits. */
export type FileEvent =
  /** Our text was sent to be saved. */
  | { readonly kind: 'sent' }
  /** It is on disk as `saved`; `sent` is what was shown when it was sent. */
  | { readonly kind: 'written'; readonly sent: GraphSpec; readonly saved: Saved }
  /** The file has changed, and this is what it and our edits say together. */
  | { readonly kind: 'merged'; readonly shown: GraphSpec; readonly merged: GraphSpec; readonly saved: Saved }
  /** The file has changed, and both do not go together. */
  | { readonly kind: 'clashed'; readonly theirs: Saved }
  /** The server could not be reached, or refused. */
  | { readonly kind: 'failed'; readonly state: 'offline' | 'refused' };

type Part = Pick<EditorState, 'history' | 'saved' | 'saving' | 'theirs'>;

/** Whether there is something that is not on disk. */
export function isChanged(state: Pick<EditorState, 'history' | 'saved'>): boolean {
  return state.history.graph !== state.saved.graph;
}

/** The state that shows another graph: after an edit, an undo, a redo. A conflict stays one until it is resolved. */
export function showing<S extends Part>(state: S, history: History): S {
  if (history === state.history) return state;
  return { ...state, history, saving: state.saving === 'conflict' ? 'conflict' : stateOf(history, state.saved) };
}

/** The state after an event. */
export function stateAfter<S extends Part>(state: S, event: FileEvent): S {
  switch (event.kind) {
    case 'sent':
      return { ...state, saving: 'saving' };
    case 'written': {
      // What was shown when it was sent is on disk now; what was edited meanwhile is not.
      const saved = { ...event.saved, graph: event.sent };
      return { ...state, saved, theirs: null, saving: stateOf(state.history, saved) };
    }
    case 'merged': {
      // Edits that were made while the merge was made are not in it: the caller merges once more.
      if (event.shown !== state.history.graph) return state;
      const history = edited(state.history, () => event.merged, 'Merge', null);
      return { ...state, history, saved: event.saved, theirs: null, saving: stateOf(history, event.saved) };
    }
    case 'clashed':
      return { ...state, theirs: event.theirs, saving: 'conflict' };
    case 'failed':
      return { ...state, saving: isChanged(state) ? event.state : 'saved' };
  }
}

function stateOf(history: History, saved: Saved): SaveState {
  return history.graph === saved.graph ? 'saved' : 'changed';
}

/** What the server said of a graph, if it is about what is shown. */
export function currentCheck(state: EditorState): Checked | null {
  return state.checked?.graph === state.history.graph ? state.checked : null;
}
