/** What was changed and not saved, kept in the browser: a closed tab loses nothing. */

import type { GraphSpec } from '@/graph/model';

/** An unsaved graph with the text that it was made from. */
export interface Draft {
  readonly textHash: string;
  readonly text: string;
  readonly graph: GraphSpec;
  /** The text that was typed, comments included; null or left out where only the graph was edited. */
  readonly typed?: string | null;
}

const key = (id: string) => `pyagent.draft.${id}`;

/** Keep a draft; where the browser has no room, it stays in memory only. */
export function keepDraft(id: string, draft: Draft): void {
  try {
    localStorage.setItem(key(id), JSON.stringify(draft));
  } catch {
    // Full, or switched off: the open page still has it.
  }
}

/** The draft of a graph, or null. */
export function readDraft(id: string): Draft | null {
  try {
    return JSON.parse(localStorage.getItem(key(id)) ?? 'null') as Draft | null;
  } catch {
    return null;
  }
}

/** Forget a draft: it is saved, or nobody wants it. */
export function forgetDraft(id: string): void {
  try {
    localStorage.removeItem(key(id));
  } catch {
    // Nothing was kept.
  }
}
