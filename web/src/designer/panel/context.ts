/** What the parts of an open node panel share. */

import { createContext, use } from 'react';
import type { Editor } from '@/editor/store';
import type { Target } from './data/context';
import type { Resolve } from './form/kinds';

export interface Panel {
  readonly editor: Editor;
  readonly node: string;
  /** The node's type with its version. */
  readonly use: string;
  readonly resolve: Resolve;
  readonly target: { current: Target | null };
  /** What expressions are tried on: a run, the node's step in it, and which item. */
  readonly sample: Sample;
  readonly setSample: (sample: Partial<Sample>) => void;
  /** Tell screen readers, and others, what has happened. */
  readonly say: (text: string) => void;
}

export interface Sample {
  readonly run: string | null;
  readonly step: string | null;
  readonly item: number;
}

export const PanelContext = createContext<Panel | null>(null);

/** The panel around a component. */
export function usePanel(): Panel {
  const panel = use(PanelContext);
  if (!panel) throw new Error('there is no node panel around this');
  return panel;
}
