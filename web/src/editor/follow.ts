/** What goes on while a graph is open: it is checked, a draft of it is kept, and its file is watched. */

import { ask, client, type Schemas } from '@/api/client';
import { watchSession } from '@/api/session';
import { type FileChange, watchGraphs } from '@/api/watch';
import type { GraphSpec } from '@/graph/model';
import { type Draft, forgetDraft, hasDraft, keepDraft } from './drafts';
import { isChanged } from './saving';
import { type Checked, type Editor, graphOf } from './store';

/** What the server says of a graph, as an editor keeps it. */
export function checkedBy(graph: GraphSpec, told: Schemas['EditedGraph']): Checked {
  return { graph, text: told.text, problems: told.problems, facts: told.nodes };
}

function draftOf(editor: Editor): Draft {
  const { saved, typed } = editor.getState();
  return { textHash: saved.textHash, text: saved.text, graph: graphOf(editor), typed };
}

const CHECK_DELAY = 250;
/** A page that is closed; one that a telephone may end without a word has only the second. */
const LEAVING = ['beforeunload', 'pagehide'] as const;

/** What is done with an editor's file. */
interface FileActions {
  /** It may have changed on disk. */
  readonly readAgain: (editor: Editor) => Promise<void>;
  readonly save: (editor: Editor) => Promise<void>;
}

/**
 * Ask the server what it says of the graph, again after each change; keep a draft of what is not saved; hear of
 * changes of its file, and of the server that is back.
 *
 * Gives the function that ends it.
 */
export function follow(editor: Editor, file: FileActions): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let asked: AbortController | undefined;
  let seen = editor.getState();
  let unchecked = false;
  let unkept = false;
  let mine = false;

  const check = async () => {
    const { saved, typed } = editor.getState();
    const graph = graphOf(editor);
    asked?.abort();
    asked = new AbortController();
    try {
      const answer = await ask(
        client.POST('/api/v1/graphs/edit', {
          body: { text: typed ?? saved.text, spec: graph },
          signal: asked.signal,
        }),
      );
      editor.setState({ checked: checkedBy(graph, answer) });
    } catch {
      // The save state tells of a lost server; what was said before stays.
    }
  };
  const onChange = () => {
    const before = seen;
    seen = editor.getState();
    const edited = seen.history.graph !== before.history.graph || seen.typed !== before.typed;
    // A draft is also of what it is based on.
    if (!edited && seen.saved === before.saved) return;
    unchecked ||= edited;
    unkept = true;
    clearTimeout(timer);
    timer = setTimeout(() => {
      if (unkept) keep();
      if (unchecked) void check();
      unchecked = false;
    }, CHECK_DELAY);
  };
  const keep = () => {
    unkept = false;
    const { id, kept } = editor.getState();
    let now = true;
    if (isChanged(editor.getState())) {
      now = keepDraft(id, draftOf(editor));
      mine ||= now;
    } else if (mine) {
      // Another tab's stays.
      forgetDraft(id);
      mine = false;
    }
    if (now !== kept) editor.setState({ kept: now });
  };
  const onLeave = (event: Event) => {
    // What was changed a moment ago is kept, too.
    if (unkept) keep();
    // Nobody else has it: the browser asks whether to close the page.
    if (event.type !== 'beforeunload' || !isChanged(editor.getState())) return;
    if (!hasDraft(editor.getState().id, draftOf(editor))) event.preventDefault();
  };
  if (isChanged(editor.getState())) keep();
  const unsubscribe = editor.subscribe(onChange);
  for (const event of LEAVING) globalThis.addEventListener?.(event, onLeave);
  void check();
  const unwatchSession = watchSession((isIn) => {
    if (isIn && editor.getState().saving === 'locked') void file.save(editor).catch(() => undefined);
  });
  const unwatch = watchGraphs((change: FileChange | null) => {
    const { id, saved } = editor.getState();
    // Null: the stream begins anew, and may have missed something.
    if (change && (change.graph !== id || change.text_hash === saved.textHash)) return;
    void file
      .readAgain(editor)
      // What could not be sent while the server was gone, or let nobody in, is sent now.
      .then(() => (['offline', 'locked'].includes(editor.getState().saving) ? file.save(editor) : undefined))
      .catch(() => undefined);
  });
  return () => {
    if (unkept) keep();
    unsubscribe();
    for (const event of LEAVING) globalThis.removeEventListener?.(event, onLeave);
    unwatch();
    unwatchSession();
    clearTimeout(timer);
    asked?.abort();
  };
}
