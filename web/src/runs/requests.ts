/** What a run is asked for, with one way to say what became of it. */

import { ask, client, type Schemas } from '@/api/client';
import { words } from '@/text/language';
import { showDone, showError } from '@/widgets/showError';
import { refreshRun } from './live';

const path = (run: string) => ({ params: { path: { run_id: run } } });

export const cancelRun = (run: string) =>
  ask(client.POST('/api/v1/runs/{run_id}/cancel', { ...path(run), body: null }));
export const pauseRun = (run: string) => ask(client.POST('/api/v1/runs/{run_id}/pause', path(run)));
export const resumeRun = (run: string) => ask(client.POST('/api/v1/runs/{run_id}/resume', path(run)));
export const deleteRun = (run: string) => ask(client.DELETE('/api/v1/runs/{run_id}', path(run)));

export const startRun = (body: Partial<Schemas['StartRun']> & { graph: string }) =>
  ask(client.POST('/api/v1/runs', { body: body as Schemas['StartRun'] }));

export const forkRun = (run: string, body: Partial<Schemas['Fork']> & { step: string }) =>
  ask(client.POST('/api/v1/runs/{run_id}/fork', { ...path(run), body: body as Schemas['Fork'] }));

export const answerStep = (run: string, step: string, value: unknown) =>
  ask(client.POST('/api/v1/runs/{run_id}/answer', { ...path(run), body: { step, value } as Schemas['AnswerStep'] }));

export const sendSignal = (run: string, name: string, key: string, value: unknown) =>
  ask(client.POST('/api/v1/runs/{run_id}/signal', { ...path(run), body: { name, key, value } }));

export const resolveStep = (run: string, step: string, how: Schemas['ResolveStep']['how']) =>
  ask(client.POST('/api/v1/runs/{run_id}/resolve', { ...path(run), body: { step, how } }));

/** Make a request, say that it was made, or why it was not; gives whether it was. */
export async function tell(run: string, request: () => Promise<unknown>, said: string): Promise<boolean> {
  try {
    await request();
  } catch (error) {
    tellError(error);
    return false;
  }
  if (said) showDone(said);
  refreshRun(run);
  return true;
}

/** Say what went wrong, with its hint. */
export function tellError(error: unknown): void {
  showError(error, words.runs.actions.failed);
}
