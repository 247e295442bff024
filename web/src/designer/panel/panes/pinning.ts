import { ask, client } from '@/api/client';
import { givenBy, lastRunOf, readStep } from '@/api/runData';
import { apply, type Editor } from '@/editor/store';
import { type Items, setPin } from '@/graph/parameters';
import { parseStep } from '@/runs/steps';
import { fill, words } from '@/text/language';
import { showDone } from '@/widgets/showError';
import { lastStep, stepsOf } from '../steps';

/** Items of a port that are pinned: a graph is no store of data. */
export const MOST_PINNED = 200;

/** Pin what a step of the node gave; what a pin cannot hold is told. */
export async function pinStep(editor: Editor, node: string, run: string, step: string): Promise<void> {
  const given = givenBy(await readStep(run, step, 0, MOST_PINNED));
  const first = editor.getState().checked?.facts[node]?.ports_out[0] ?? 'out';
  for (const [name, items] of Object.entries(given.ports)) {
    apply(editor, words.panel.pin, setPin(node, name, first, items as Items), `pin/${node}`);
  }
  if (given.count < given.all) showDone(fill(words.panel.pinTruncated, { count: given.count, all: given.all }));
  if (given.files) showDone(words.panel.pinFiles);
}

/** Pin what the node gave in the run that the editor shows, else in the last one; false where it gave nothing there. */
export async function pinShown(editor: Editor, node: string): Promise<boolean> {
  const { id, run: shown } = editor.getState();
  const run = shown ?? (await lastRunOf(id));
  if (!run) return false;
  const { steps } = await ask(client.GET('/api/v1/runs/{run_id}', { params: { path: { run_id: run } } }));
  const placed = steps.map((step) => ({ ...step, ...parseStep(step.step) }));
  const step = lastStep(stepsOf(placed, node));
  if (!step || !Object.values(step.items_out).some((count) => count > 0)) return false;
  await pinStep(editor, node, run, step.step);
  return true;
}
