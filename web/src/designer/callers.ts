/** The way from graph to graph, by nodes that call one another. It is kept by the browser with each page that was seen. */

import type { Level } from '@/graph/model';

/** A graph that was left by opening what one of its nodes calls. */
export interface Caller {
  readonly graph: string;
  readonly name: string;
  readonly level: Level;
  /** The node that calls. */
  readonly node: string;
}

/** What is kept with a page of the browser's history. */
export interface Way {
  readonly callers: readonly Caller[];
}

const NONE: readonly Caller[] = [];

/** The graphs that were gone through to come to a page; none where it was opened by itself. */
export function callersOf(state: unknown): readonly Caller[] {
  const callers = (state as Partial<Way> | null)?.callers;
  return Array.isArray(callers) ? callers : NONE;
}
