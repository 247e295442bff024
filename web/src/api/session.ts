/** Whether the server still lets this page in: its link is for one visit, and a session ends. */

import { useSyncExternalStore } from 'react';

let ended = false;
const hearers = new Set<() => void>();

/** The server has let a request in, or has asked who it is from. */
export function tellSession(isIn: boolean): void {
  if (ended === !isIn) return;
  ended = !isIn;
  for (const hear of hearers) hear();
}

/** Whether the session has ended. */
export function useSessionEnded(): boolean {
  return useSyncExternalStore(hearSession, () => ended);
}

/** Be told whenever the session has ended or begun anew; `isIn` says which. Gives the function that ends it. */
export function watchSession(hear: (isIn: boolean) => void): () => void {
  return hearSession(() => hear(!ended));
}

function hearSession(hear: () => void): () => void {
  hearers.add(hear);
  return () => {
    hearers.delete(hear);
  };
}
