/** The steps of a node in a run, as the panel shows them: the last one first of all. */

import { useShallow } from 'zustand/react/shallow';
import { type StepLive, useRunPart } from '@/runs/live';
import { placeOf } from '@/runs/steps';
import { fill, words } from '@/text/language';

type Placed = Pick<StepLive, 'node' | 'frame' | 'started_at'>;

/** The node's steps in the run's own graph, elements of its maps included; the one that began last at the end. */
export function stepsOf<T extends Placed>(steps: Iterable<T>, node: string): readonly T[] {
  const found: T[] = [];
  for (const step of steps) if (step.node === node && !step.frame.includes('(')) found.push(step);
  return found.sort((a, b) => (a.started_at ?? '').localeCompare(b.started_at ?? ''));
}

/** The step that is shown where none is chosen: the last that was not skipped, else the last. */
export function lastStep<T extends Pick<StepLive, 'status'>>(steps: readonly T[]): T | null {
  return steps.findLast((step) => step.status !== 'skipped') ?? steps.at(-1) ?? null;
}

/** What people call a step among those of its node: `[2] #3 · completed`. */
export function stepLabel(step: StepLive, index: number): string {
  const attempt = step.attempt > 1 ? fill(words.panel.attempt, { attempt: step.attempt }) : '';
  return [placeOf(step.step) || `${index + 1}.`, attempt, words.runs.status[step.status]].filter(Boolean).join(' · ');
}

/** A node's steps in a run, live. */
export function useSteps(run: string | null, node: string): readonly StepLive[] {
  return useRunPart(
    run,
    useShallow((live) => (live ? stepsOf(live.steps.values(), node) : NONE)),
  );
}

const NONE: readonly StepLive[] = [];
