/** Runs of the graph that is open in the designer: saved first, then started, then shown. */

import { ask, client } from '@/api/client';
import { save } from '@/editor/files';
import { isChanged } from '@/editor/saving';
import type { Editor } from '@/editor/store';
import type { FormSchema } from '../form/fields';
import { forkRun, startRun, tellError } from '../requests';
import { inputsWithoutAsking } from './inputs';

/** `started`: it runs and is shown; `ask`: its inputs have to be asked for; `refused`: it was said why not. */
export type Begun = 'started' | 'ask' | 'refused';

/** Show a run in the designer. */
export function showRun(editor: Editor, run: string | null): void {
  editor.setState({ run });
}

/** How often an edit may come in between before a run is not begun. */
const TRIES = 5;

/** Save what was changed; false where the server has not taken it. */
export async function saveFirst(editor: Editor): Promise<boolean> {
  try {
    // Edits may come while a save is under way, and a save may be under way already: what runs is what is shown.
    for (let tries = 0; tries < TRIES && isChanged(editor.getState()); tries++) {
      if (editor.getState().saving === 'saving') await saveEnd(editor);
      else await save(editor);
    }
  } catch (error) {
    tellError(error);
    return false;
  }
  // A clash or a lost server is told above the canvas: a run of what was saved before would not be what is shown.
  return !isChanged(editor.getState());
}

/** Until the save that is under way has ended, however it ends. */
function saveEnd(editor: Editor): Promise<void> {
  return new Promise((resolve) => {
    const stop = editor.subscribe((state) => {
      if (state.saving === 'saving') return;
      stop();
      resolve();
    });
  });
}

/** Run the open graph, or only `until` a node and what leads to it, with the inputs of its last run. */
export async function beginRun(editor: Editor, until = ''): Promise<Begun> {
  if (!(await saveFirst(editor))) return 'refused';
  const { id } = editor.getState();
  try {
    const details = await ask(client.GET('/api/v1/graphs/{graph_id}', { params: { path: { graph_id: id } } }));
    const inputs = inputsWithoutAsking(id, details.inputs_schema as FormSchema);
    if (!inputs) return 'ask';
    const test = Object.keys((details.spec as { pins?: object }).pins ?? {}).length > 0;
    const run = await startRun({ graph: id, inputs, test, ...(until ? { until } : {}) });
    showRun(editor, run.id);
    return 'started';
  } catch (error) {
    tellError(error);
    return 'refused';
  }
}

/** Run a node again with what the last run has kept for it: alone, or with all that follows it. */
export async function beginAt(editor: Editor, node: string, alone: boolean): Promise<Begun> {
  if (!(await saveFirst(editor))) return 'refused';
  const { id } = editor.getState();
  try {
    const kept = await ask(
      client.GET('/api/v1/graphs/{graph_id}/kept', { params: { path: { graph_id: id }, query: { node } } }),
    );
    if (!kept.run) return await beginRun(editor, alone ? node : '');
    const run = await forkRun(kept.run.id, { step: node, graph: id, ...(alone ? { until: node } : {}) });
    showRun(editor, run.id);
    return 'started';
  } catch (error) {
    tellError(error);
    return 'refused';
  }
}
