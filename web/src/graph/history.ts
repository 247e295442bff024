/** Undo and redo without end: graphs share what they have in common, so a step costs what it changed. */

import type { Edit, GraphSpec } from './model';

interface Step {
  readonly graph: GraphSpec;
  /** What the change to the next graph was called. */
  readonly label: string;
  /** Changes in a row with the same one are one step: a drag, a word that is typed. */
  readonly merge: string | null;
}

export interface History {
  readonly graph: GraphSpec;
  readonly past: readonly Step[];
  readonly future: readonly Step[];
}

/** A history that begins with a graph. */
export function begin(graph: GraphSpec): History {
  return { graph, past: [], future: [] };
}

/** The history after an edit; the same where the edit changes nothing. */
export function edited(history: History, edit: Edit, label: string, merge: string | null = null): History {
  const graph = edit(history.graph);
  if (graph === history.graph) return history;
  const last = history.past.at(-1);
  if (merge !== null && last?.merge === merge) return { ...history, graph, future: [] };
  return { graph, past: [...history.past, { graph: history.graph, label, merge }], future: [] };
}

/** The history one step back; the same where there is none. */
export function undone(history: History): History {
  const last = history.past.at(-1);
  if (!last) return history;
  const next: Step = { graph: history.graph, label: last.label, merge: null };
  return { graph: last.graph, past: history.past.slice(0, -1), future: [...history.future, next] };
}

/** The history one step forward again; the same where there is none. */
export function redone(history: History): History {
  const next = history.future.at(-1);
  if (!next) return history;
  const step: Step = { graph: history.graph, label: next.label, merge: null };
  return { graph: next.graph, past: [...history.past, step], future: history.future.slice(0, -1) };
}

/** The history with its last change closed: the next one is a step of its own, whatever it is. */
export function settled(history: History): History {
  const last = history.past.at(-1);
  if (!last || last.merge === null) return history;
  return { ...history, past: [...history.past.slice(0, -1), { ...last, merge: null }] };
}
