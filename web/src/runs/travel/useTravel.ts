/** Going through what happened in a run: the moments of its log, and how it stood at the one that is chosen. */

import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useEffect, useMemo, useState } from 'react';
import { ask, client, type Schemas } from '@/api/client';
import { ENDED, stoodAt } from '../fold';
import { type RunLive, runAt } from '../live';

export interface Travel {
  /** The moment that is shown, from 1. */
  readonly n: number;
  /** Moments in all. */
  readonly count: number;
  readonly moment: Schemas['RunMoment'] | null;
  readonly go: (n: number) => void;
  readonly end: () => void;
}

/** How the run is to be shown: as it is, or while somebody travels as it stood. */
export function useTravel(run: RunLive): { shown: RunLive; travel: Travel | null; begin: () => void } {
  const [n, setN] = useState<number | null>(null);
  const on = n !== null;
  const counted = useQuery({
    queryKey: ['moments', run.id, ENDED.has(run.status) ? run.state.cursor : ''],
    queryFn: ({ signal }) =>
      ask(
        client.GET('/api/v1/runs/{run_id}/moments', {
          params: { path: { run_id: run.id }, query: { limit: 1 } },
          signal,
        }),
      ),
    enabled: on,
    refetchInterval: on && !ENDED.has(run.status) ? 2_000 : false,
  });
  const count = counted.data?.count ?? 0;
  // One begins at the end of what has happened, from where one goes back.
  const at = on ? Math.min(n || count, count) : 0;
  const stood = useQuery({
    queryKey: ['moment', run.id, at],
    queryFn: ({ signal }) =>
      ask(client.GET('/api/v1/runs/{run_id}/moments/{n}', { params: { path: { run_id: run.id, n: at } }, signal })),
    enabled: on && at > 0,
    staleTime: Number.POSITIVE_INFINITY,
    placeholderData: keepPreviousData,
  });
  const moment = on ? (stood.data ?? null) : null;
  const shown = useMemo(
    () => (moment ? runAt(run, stoodAt(run.state, moment.run_status, moment.steps), moment.at) : run),
    [run, moment],
  );
  useEffect(() => {
    // What does not come cannot be shown.
    if (counted.error) setN(null);
  }, [counted.error]);
  const travel = on ? { n: at, count, moment, go: setN, end: () => setN(null) } : null;
  return { shown, travel, begin: () => setN(0) };
}
