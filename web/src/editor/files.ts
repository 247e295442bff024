/** Open graphs and their files: read, save, and take in what others write. */

import { ApiError, ask, client, type Schemas } from '@/api/client';
import { same } from '@/graph/difference';
import { edited } from '@/graph/history';
import { type GraphSpec, NO_GRAPH } from '@/graph/model';
import { specOf } from '@/graph/read';
import { type Draft, forgetDraft, readDraft } from './drafts';
import { checkedBy, follow } from './follow';
import { isChanged, stateAfter, typing } from './saving';
import { apply, createEditor, type Disk, type Editor, graphOf, type Saved } from './store';

const editors = new Map<string, Promise<Editor>>();

/** So many editors that were left keep what can be undone; one with unsaved changes always does. */
const KEPT = 20;

/** The editor of a graph; the same as before where it is open already. Raises `ApiError`. */
export function openEditor(id: string): Promise<Editor> {
  const found = editors.get(id);
  const editor = found ?? open(id);
  // The one that was opened last is at the end.
  editors.delete(id);
  editors.set(id, editor);
  if (!found) {
    editor.catch(() => editors.get(id) === editor && editors.delete(id));
    for (const old of [...editors.keys()].slice(0, -KEPT)) letGo(old);
  }
  return editor;
}

/** Each editor that follows its file, with what ends that. */
const following = new Map<string, { readonly editor: Editor; readonly end: () => void }>();

function letGo(id: string): void {
  const state = following.get(id)?.editor.getState();
  if (state && state.saving === 'saved' && state.disk === 'there' && !isChanged(state)) leave(id);
}

function leave(id: string): void {
  editors.delete(id);
  following.get(id)?.end();
  following.delete(id);
}

/** Forget an editor, with what was changed in it. */
export function closeEditor(id: string): void {
  leave(id);
  forgetDraft(id);
}

async function open(id: string): Promise<Editor> {
  const draft = readDraft(id);
  const details = await readGraph(id).catch((error: unknown) => {
    if (draft && isGone(error)) return null;
    throw error;
  });
  if (!details) {
    // Its file was deleted while a tab had edits of it.
    const editor = createEditor(id, { ...NO_FILE, text: draft?.text ?? '' });
    if (draft) takeDraft(editor, draft);
    editor.setState({ disk: 'gone' });
    following.set(id, { editor, end: followed(editor) });
    return editor;
  }
  const editor = createEditor(id, savedFrom(details));
  editor.setState({ readyMade: details.ready_made ?? false, disk: diskOf(details) });
  if (draft && draft.textHash === details.text_hash) {
    takeDraft(editor, draft);
  } else if (draft) {
    editor.setState({ typed: draft.typed ?? null });
    await mergeWith(editor, savedFrom(details), { text: draft.text, graph: draft.graph });
  }
  following.set(id, { editor, end: followed(editor) });
  return editor;
}

function followed(editor: Editor): () => void {
  return follow(editor, { readAgain: changedOnDisk, save });
}

function takeDraft(editor: Editor, { graph, typed = null }: Draft): void {
  apply(editor, 'Draft', () => graph);
  if (typed !== null) editor.setState((state) => typing(state, typed, state.history));
}

const NO_FILE: Saved = { text: '', textHash: '', graph: NO_GRAPH };

function readGraph(id: string) {
  return ask(client.GET('/api/v1/graphs/{graph_id}', { params: { path: { graph_id: id } } }));
}

/** Where there is no file any more, the server gives the version that runs have used last. */
function diskOf(details: { readonly file: string }): Disk {
  return details.file ? 'there' : 'gone';
}

function isGone(error: unknown): boolean {
  return error instanceof ApiError && error.code === 'graph.not_found';
}

/** A file as the server gave it. */
function savedFrom(details: Pick<Schemas['GraphDetails'], 'text' | 'text_hash' | 'spec'>): Saved {
  return { text: details.text, textHash: details.text_hash, graph: specOf(details.spec) };
}

const turns = new WeakMap<Editor, Promise<unknown>>();

/** One thing at a time is done with a file: what was read before a save must not be taken for news after it. */
function inTurn(editor: Editor, work: () => Promise<void>): Promise<void> {
  const mine = (turns.get(editor) ?? Promise.resolve()).then(work);
  turns.set(
    editor,
    mine.catch(() => undefined),
  );
  return mine;
}

/** Write what is shown. Raises `ApiError` where the server refuses it; a clash is a state, not an error. */
export function save(editor: Editor): Promise<void> {
  return inTurn(editor, () => saveNow(editor));
}

async function saveNow(editor: Editor): Promise<void> {
  const { saved, saving, typed, disk } = editor.getState();
  const sent = graphOf(editor);
  if (disk === 'gone') {
    await createNow(editor);
    return;
  }
  if (!isChanged(editor.getState()) || saving === 'saving' || saving === 'conflict') return;
  editor.setState((state) => stateAfter(state, { kind: 'sent' }));
  try {
    const details = await ask(
      client.PUT('/api/v1/graphs/{graph_id}', {
        params: { path: { graph_id: editor.getState().id } },
        body: { ...(await written(sent, typed)), base: saved.textHash, base_text: saved.text },
      }),
    );
    const now = savedFrom(details);
    editor.setState((state) => stateAfter(state, { kind: 'written', sent, typed, saved: now }));
    editor.setState({ disk: 'there', readyMade: details.ready_made ?? false });
    if (details.merged) await takeIn(editor, now, sent);
    if (!isChanged(editor.getState())) forgetDraft(editor.getState().id);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (error.code === 'graph.conflict' || isGone(error)) await lookAgain(editor);
    else failed(editor, error);
  }
}

/** A save has met another file than it was based on, or none: what is there now. */
async function lookAgain(editor: Editor): Promise<void> {
  try {
    await readAgain(editor);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    // A file that is gone or broken is told above the canvas.
    if (editor.getState().disk === 'there') failed(editor, error);
  }
  if (editor.getState().saving === 'saving')
    editor.setState((state) => stateAfter(state, { kind: 'failed', state: 'refused' }));
}

/** Write the file anew that was deleted, under the same id. Raises `ApiError` where the server refuses it. */
export function saveAsNew(editor: Editor): Promise<void> {
  return inTurn(editor, () => createNow(editor));
}

async function createNow(editor: Editor): Promise<void> {
  const { saved, typed } = editor.getState();
  const sent = graphOf(editor);
  editor.setState((state) => stateAfter(state, { kind: 'sent' }));
  try {
    const body = await written(sent, typed ?? (saved.text || null));
    const details = await ask(client.POST('/api/v1/graphs', { body: body as Schemas['NewGraph'] }));
    editor.setState((state) => stateAfter(state, { kind: 'written', sent, typed, saved: savedFrom(details) }));
    editor.setState({ disk: 'there', readyMade: false });
    if (!isChanged(editor.getState())) forgetDraft(editor.getState().id);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    failed(editor, error);
  }
}

/** What could not be sent waits until the server is back, or lets us in; what it refuses is told. */
function failed(editor: Editor, error: ApiError): void {
  const state = error.offline ? 'offline' : error.locked ? 'locked' : 'refused';
  editor.setState((now) => stateAfter(now, { kind: 'failed', state }));
  if (state === 'refused') throw error;
}

/** What a save sends: the graph, or the text that a person typed with what the graph was changed by since. */
async function written(
  graph: GraphSpec,
  typed: string | null,
): Promise<{ spec: Record<string, unknown> } | { text: string }> {
  if (typed === null) return { spec: graph };
  const answer = await ask(client.POST('/api/v1/graphs/edit', { body: { text: typed, spec: graph } }));
  return answer.ok ? { text: answer.text } : { spec: graph };
}

/** The same as a merge takes it. */
async function contentOf(graph: GraphSpec, typed: string | null): Promise<string | Record<string, unknown>> {
  const content = await written(graph, typed);
  return 'text' in content ? content.text : content.spec;
}

/** Take a text that a person has typed, with what the server says of it; whether it is a graph. */
export function takeText(editor: Editor, text: string, told: Schemas['EditedGraph']): boolean {
  const graph = specOf(told.spec);
  if (!graph) return false;
  editor.setState((state) => {
    const history = same(graph, state.history.graph)
      ? state.history
      : edited(state.history, () => graph, 'Text', 'text');
    return { ...typing(state, text, history), unread: null, checked: checkedBy(history.graph, { ...told, text }) };
  });
  return true;
}

/** The file may have changed on disk: read it, and bring it together with what is shown. */
function changedOnDisk(editor: Editor): Promise<void> {
  return inTurn(editor, () => readAgain(editor));
}

async function readAgain(editor: Editor): Promise<void> {
  const { id, saved } = editor.getState();
  const details = await readGraph(id).catch((error: unknown) => {
    // What is shown stays, and may be saved as a new file or over the broken one.
    if (isGone(error)) editor.setState({ disk: 'gone' });
    else if (error instanceof ApiError && error.status === 422) editor.setState({ disk: 'broken' });
    throw error;
  });
  editor.setState({ disk: diskOf(details), readyMade: details.ready_made ?? false });
  // What is shown stays, and may be saved as a new file.
  if (!details.file) return;
  if (details.text_hash === saved.textHash) return;
  await takeIn(editor, savedFrom(details), saved.graph);
}

/** Show what others wrote: as it is where nothing was edited since `base`, else merged. */
async function takeIn(editor: Editor, theirs: Saved, base: GraphSpec): Promise<void> {
  const shown = graphOf(editor);
  if (shown === base) {
    editor.setState((state) =>
      stateAfter(state, { kind: 'merged', shown, merged: theirs.graph, text: null, saved: theirs }),
    );
    return;
  }
  await mergeWith(editor, theirs, { text: editor.getState().saved.text, graph: shown });
}

/** Bring edits that were made from `ours.text` together with the file as it is now; edits made meanwhile, too. */
async function mergeWith(editor: Editor, theirs: Saved, ours: { text: string; graph: GraphSpec }): Promise<void> {
  let graph = ours.graph;
  let before = graphOf(editor);
  for (;;) {
    const { typed } = editor.getState();
    const merged = await ask(
      client.POST('/api/v1/graphs/merge', {
        body: { base: ours.text, ours: await contentOf(graph, typed), theirs: theirs.text },
      }),
    );
    const shown = graphOf(editor);
    if (shown !== before) {
      graph = shown;
      before = shown;
      continue;
    }
    const together = specOf(merged.spec);
    if (!merged.clean || !together) {
      apply(editor, 'Draft', () => graph);
      editor.setState((state) => stateAfter(state, { kind: 'clashed', theirs }));
    } else {
      editor.setState((state) =>
        stateAfter(state, { kind: 'merged', shown, merged: together, text: merged.text, saved: theirs }),
      );
    }
    return;
  }
}

/** Take a conflict's outcome: it stands on what they wrote, and is saved next. */
export function resolve(editor: Editor, outcome: GraphSpec): void {
  const theirs = editor.getState().theirs;
  if (!theirs) return;
  const shown = graphOf(editor);
  editor.setState((state) => stateAfter(state, { kind: 'merged', shown, merged: outcome, text: null, saved: theirs }));
}
