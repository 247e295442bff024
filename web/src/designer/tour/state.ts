/** How far the tour is, kept in the browser: it goes on where the page was loaded anew. */

import { useStore } from 'zustand';
import { createStore } from 'zustand/vanilla';

/** The steps of the tour in their order. */
export const STEPS = ['look', 'add', 'open', 'run', 'result'] as const;
export type Step = (typeof STEPS)[number];

interface TourState {
  /** The graph that it is in; null where there is none now. */
  readonly graph: string | null;
  readonly step: Step;
  /** It was taken or declined: it is not offered again. */
  readonly seen: boolean;
}

const KEY = 'pyagent.tour';
const BEGINNING: TourState = { graph: null, step: 'look', seen: false };

const store = createStore<TourState>(() => ({ ...BEGINNING, ...kept() }));
store.subscribe((state) => {
  try {
    localStorage.setItem(KEY, JSON.stringify(state));
  } catch {
    // Full, or switched off: it is kept while the page is open.
  }
});

function kept(): Partial<TourState> {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? '{}') as Partial<TourState>;
  } catch {
    return {};
  }
}

/** A part of the tour's state. */
export function useTour<T>(choose: (state: TourState) => T): T {
  return useStore(store, choose);
}

/** Begin in that graph. */
export function beginTour(graph: string): void {
  store.setState({ graph, step: 'look', seen: true });
}

/** Go on from a step; from one that is over already, nothing happens. */
export function endStep(step: Step): void {
  const { graph, step: now } = store.getState();
  if (graph === null || now !== step) return;
  const next = STEPS[STEPS.indexOf(step) + 1];
  if (next) store.setState({ step: next });
  else endTour();
}

/** End it; it can be begun again. */
export function endTour(): void {
  store.setState({ graph: null, seen: true });
}
