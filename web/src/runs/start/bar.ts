/** What is asked of the run bar of an editor, by itself, the canvas or the tour: one run at a time. */

import { createStore, type StoreApi } from 'zustand';
import type { Editor } from '@/editor/store';
import { beginRun } from './begin';

interface Bar {
  /** A run is about to begin. */
  readonly busy: boolean;
  /** The inputs of a run are asked for: of the whole graph, or `until` a node. */
  readonly asking: { readonly until: string } | null;
}

const bars = new WeakMap<Editor, StoreApi<Bar>>();

/** The run bar of the editor. */
export function barOf(editor: Editor): StoreApi<Bar> {
  const known = bars.get(editor) ?? createStore<Bar>(() => ({ busy: false, asking: null }));
  bars.set(editor, known);
  return known;
}

/** Run the graph, or only `until` a node; its inputs are asked for where that is needed. */
export async function requestRun(editor: Editor, until = ''): Promise<void> {
  const bar = barOf(editor);
  if (bar.getState().busy) return;
  bar.setState({ busy: true });
  const begun = await beginRun(editor, until);
  bar.setState({ busy: false, ...(begun === 'ask' ? { asking: { until } } : {}) });
}
