/** What views of data need around them: which item is looked at, where it came from, and where a field of it can be put. */

import { createContext, use } from 'react';
import type { OriginView } from '@/api/runData';

/** The parameter that the keyboard was in last: where a field of the data can be put. */
export interface Target {
  readonly label: string;
  /** Put code into it, in braces where there are none yet. */
  readonly insert: (code: string) => void;
}

export interface Looking {
  readonly target: { current: Target | null };
  /** Index of the input item that is looked at. */
  readonly item: number;
  readonly setItem: (item: number) => void;
  /** Items that what is pointed at came from. */
  readonly lineage: readonly OriginView[];
  readonly setLineage: (origins: readonly OriginView[]) => void;
  /** Tell screen readers, and others, what has happened. */
  readonly say: (text: string) => void;
}

export const LookingContext = createContext<Looking | null>(null);

/** What is around a view of data. */
export function useLooking(): Looking {
  const looking = use(LookingContext);
  if (!looking) throw new Error('nobody looks at this');
  return looking;
}
