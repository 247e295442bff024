/**
 * What becomes of an open graph when something happens to it or to its file, as a pure function.
 *
 * Three graphs matter: what was saved last (`saved`), what is shown, and, where somebody else has written the file in
 * a way that does not go together with ours, what they wrote (`theirs`). No event may lose what is shown.
 */

import { same } from '@/graph/difference';
import { edited, type History } from '@/graph/history';
import type { GraphSpec } from '@/graph/model';
import type { EditorState, Saved, SaveState } from './store';

/** What can happen beside edits. */
export type FileEvent =
  /** Our text was sent to be saved. */
  | { readonly kind: 'sent' }
  /** It is on disk as `saved`; `sent` is what was shown when it was sent, `typed` what was typed then. */
  | { readonly kind: 'written'; readonly sent: GraphSpec; readonly typed: string | null; readonly saved: Saved }
  /** The file has changed, and this is what it and our edits say together; `text` has the comments of both. */
  | {
      readonly kind: 'merged';
      readonly shown: GraphSpec;
      readonly merged: GraphSpec;
      readonly text: string | null;
      readonly saved: Saved;
    }
  /** The file has changed, and both do not go together. */
  | { readonly kind: 'clashed'; readonly theirs: Saved }
  /** The server could not be reached, or refused. */
  | { readonly kind: 'failed'; readonly state: 'offline' | 'locked' | 'refused' };

type Part = Pick<EditorState, 'history' | 'saved' | 'saving' | 'theirs' | 'typed'>;

/** Whether there is something that is not on disk. */
export function isChanged(state: Pick<EditorState, 'history' | 'saved' | 'typed'>): boolean {
  return state.history.graph !== state.saved.graph || (state.typed !== null && state.typed !== state.saved.text);
}

/** The state that shows another graph: after an edit, an undo, a redo. A conflict stays one until it is resolved. */
export function showing<S extends Part>(state: S, history: History): S {
  if (history === state.history) return state;
  return withState({ ...state, history });
}

/** The state in which a person has typed the file's text; `graph` is what it says. */
export function typing<S extends Part>(state: S, text: string, history: History): S {
  return withState({ ...state, history, typed: text });
}

/** The state after an event. */
export function stateAfter<S extends Part>(state: S, event: FileEvent): S {
  switch (event.kind) {
    case 'sent':
      return { ...state, saving: 'saving' };
    case 'written': {
      // What was shown when it was sent is on disk now; what was edited meanwhile is not.
      const saved = { ...event.saved, graph: event.sent };
      const typed = state.typed === event.typed ? null : state.typed;
      return withState({ ...state, saved, typed, theirs: null, saving: 'changed' });
    }
    case 'merged': {
      // Edits that were made while the merge was made are not in it: the caller merges once more.
      if (event.shown !== state.history.graph) return state;
      // What is shown already is no step of undo, and what is on disk already need not be saved: the news of a save
      // may come before its answer.
      const history = same(event.merged, event.shown)
        ? state.history
        : edited(state.history, () => event.merged, 'Merge', null);
      const onDisk = same(event.merged, event.saved.graph);
      const saved = onDisk ? { ...event.saved, graph: history.graph } : event.saved;
      const typed = onDisk && event.text === event.saved.text ? null : event.text;
      return withState({ ...state, history, saved, typed, theirs: null, saving: 'changed' });
    }
    case 'clashed':
      return { ...state, theirs: event.theirs, saving: 'conflict' };
    case 'failed':
      return { ...state, saving: isChanged(state) ? event.state : 'saved' };
  }
}

/** Whether it is on disk; a conflict stays one until it is resolved. */
function withState<S extends Part>(state: S): S {
  const saving: SaveState = state.saving === 'conflict' ? 'conflict' : isChanged(state) ? 'changed' : 'saved';
  return { ...state, saving };
}
