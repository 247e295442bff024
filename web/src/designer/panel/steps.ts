/** The steps of a node in a run, and what tells one from another: iterations of loops, elements of maps. */

import type { StepView } from '@/api/runData';
import { fill, words } from '@/text/language';

/** The node's steps in the run's own graph, elements of its maps included; the one that began last at the end. */
export function stepsOf(steps: readonly StepView[], node: string): readonly StepView[] {
  return steps
    .filter((step) => step.node === node && !placeOf(step.step).frame.includes('('))
    .toSorted((a, b) => (a.started_at ?? '').localeCompare(b.started_at ?? ''));
}

/** The step that is shown where none is chosen: the last that was not skipped, else the last. */
export function lastStep(steps: readonly StepView[], node: string): StepView | null {
  const all = stepsOf(steps, node);
  return all.findLast((step) => step.status !== 'skipped') ?? all.at(-1) ?? null;
}

/** `rows[3]/fetch@2.1`: the frame before the last slash, the iterations behind the last `@`. */
export function placeOf(step: string): { frame: string; scope: string } {
  const slash = step.lastIndexOf('/');
  const own = step.slice(slash + 1);
  const at = own.indexOf('@');
  return { frame: slash < 0 ? '' : step.slice(0, slash), scope: at < 0 ? '' : own.slice(at + 1) };
}

/** What people call a step among those of its node: "element 3, iteration 2". */
export function stepLabel(step: StepView, index: number): string {
  const { frame, scope } = placeOf(step.step);
  const elements = [...frame.matchAll(/\[(\d+)\]/g)].map((found) => found[1]);
  const parts = [
    elements.length ? fill(words.panel.element, { number: elements.join('.') }) : '',
    scope ? fill(words.panel.iteration, { number: scope }) : '',
    step.attempt > 1 ? fill(words.panel.attempt, { attempt: step.attempt }) : '',
  ].filter(Boolean);
  return `${parts.join(', ') || `${index + 1}.`} · ${step.status}`;
}
