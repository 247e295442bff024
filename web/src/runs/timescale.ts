/** The scale of a timeline: from when to when, and where its marks stand. */

import type { StepLive } from './fold';

export interface Extent {
  /** Milliseconds. */
  readonly start: number;
  readonly end: number;
}

const STEPS = [1, 2, 5, 10, 20, 50, 100, 200, 500].concat(
  [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 43200, 86400, 604800].map((s) => s * 1000),
);

/** From the first step's beginning to the last one's end, at least a millisecond. */
export function extentOf(steps: Iterable<StepLive>, begun: string | null, now: number): Extent {
  let start = begun ? Date.parse(begun) : Number.POSITIVE_INFINITY;
  let end = Number.NEGATIVE_INFINITY;
  for (const step of steps) {
    for (const span of step.spans) {
      start = Math.min(start, Date.parse(span.started_at));
      end = Math.max(end, span.ended_at ? Date.parse(span.ended_at) : now);
    }
  }
  if (!Number.isFinite(start)) start = now;
  return { start, end: Math.max(end, start + 1) };
}

/** Milliseconds between marks that stand about `apart` pixels from each other. */
export function markEvery(pixelsPerMs: number, apart = 90): number {
  const wanted = apart / pixelsPerMs;
  return STEPS.find((step) => step >= wanted) ?? Math.ceil(wanted / 604_800_000) * 604_800_000;
}
