/** Steps as the rows of a tree: those of a body or a called graph stand below the step that they belong to. */

import type { StepLive } from './fold';

export interface StepRow {
  readonly step: StepLive;
  readonly depth: number;
  /** Steps right below it. */
  readonly children: number;
  readonly open: boolean;
}

/** More children than this are folded until somebody opens them. */
const MOST_OPEN = 60;

/** The rows that are shown; `toggled` says which steps somebody has folded or unfolded. */
export function rowsOf(
  steps: ReadonlyMap<string, StepLive>,
  toggled: ReadonlyMap<string, boolean>,
  fits: ((step: StepLive) => boolean) | null = null,
): readonly StepRow[] {
  if (fits) {
    const found = [...steps.values()].filter(fits);
    return found.map((step) => ({ step, depth: 0, children: 0, open: false }));
  }
  const below = new Map<string | null, StepLive[]>();
  for (const step of steps.values()) {
    // A step whose owner has not been heard of stands at the top.
    const owner = step.owner !== null && steps.has(step.owner) ? step.owner : null;
    const its = below.get(owner);
    if (its) its.push(step);
    else below.set(owner, [step]);
  }
  const rows: StepRow[] = [];
  const add = (owner: string | null, depth: number) => {
    for (const step of below.get(owner) ?? []) {
      const children = below.get(step.step)?.length ?? 0;
      const open = children > 0 && (toggled.get(step.step) ?? children <= MOST_OPEN);
      rows.push({ step, depth, children, open });
      if (open) add(step.step, depth + 1);
    }
  };
  add(null, 0);
  return rows;
}

/**
 * The step that a page shows until somebody chooses one: the first that waits, that failed or that runs, else the one
 * that ended last. Elements of maps come and go by the thousand, so their map is shown.
 */
export function stepToShow(steps: ReadonlyMap<string, StepLive>): string | null {
  let best: StepLive | null = null;
  for (const step of steps.values()) {
    if (!best || rank(step) > rank(best)) best = step;
    else if (rank(step) === rank(best) && rank(step) <= ENDED_WELL && step.seen >= best.seen) best = step;
  }
  return best?.step ?? null;
}

const ENDED_WELL = 2;

function rank(step: StepLive): number {
  if (step.status === 'waiting' || step.status === 'unknown') return 5;
  if (step.status === 'failed' && !step.handled) return 4;
  if (step.status === 'skipped') return 0;
  if (step.owner !== null) return 1;
  return step.status === 'running' ? 3 : ENDED_WELL;
}
