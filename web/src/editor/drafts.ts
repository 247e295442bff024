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

/** Keep a draft; whether the browser has taken it. Where it is full, or keeps nothing, only the open page has it. */
export function keepDraft(id: string, draft: Draft): boolean {
  try {
    localStorage.setItem(key(id), JSON.stringify(draft));
    return true;
  } catch {
    return false;
  }
}

/** Whether the browser still has this draft: another tab with the same graph may have written its own over it. */
export function hasDraft(id: string, draft: Draft): boolean {
  try {
    return localStorage.getItem(key(id)) === JSON.stringify(draft);
  } catch {
    return false;
  }
}

/** The draft of a graph, or null. */
export function readDraft(id: string): Draft | null {
  try {
    const found: unknown = JSON.parse(localStorage.getItem(key(id)) ?? 'null');
    return isDraft(found) ? found : null;
  } catch {
    return null;
  }
}

/** Whether it is a draft: whatever shares our address can write into the browser's storage, and a graph must open. */
function isDraft(found: unknown): found is Draft {
  const { textHash, text, graph, typed } = (found ?? {}) as { readonly [K in keyof Draft]?: unknown };
  const texts = typeof textHash === 'string' && typeof text === 'string' && typeof (typed ?? '') === 'string';
  return texts && Array.isArray((graph as Partial<GraphSpec> | null | undefined)?.nodes);
}

/** Forget a draft: it is saved, or nobody wants it. */
export function forgetDraft(id: string): void {
  try {
    localStorage.removeItem(key(id));
  } catch {
    // Nothing was kept.
  }
}
