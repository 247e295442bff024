/** What nodes were given and gave in a run: which run has data of a graph, and pages of a step's items. */

import { type UseQueryResult, useQuery } from '@tanstack/react-query';
import { ask, client, type Schemas } from './client';

export type StepDetails = Schemas['StepDetails'];
export type ItemView = Schemas['ItemView'];
export type OriginView = Schemas['OriginView'];
export type BlobView = Schemas['BlobView'];

/** Items of a page. */
export const PAGE = 50;
/** The newest run of a graph; null where there is none. */
export function useLastRun(graph: string, enabled = true): UseQueryResult<string | null> {
  return useQuery({
    queryKey: ['runs', 'last', graph],
    queryFn: async ({ signal }) => {
      const query = { graph, limit: 1 };
      const page = await ask(client.GET('/api/v1/runs', { params: { query }, signal }));
      return page.runs[0]?.id ?? null;
    },
    enabled,
  });
}

/** A page of a step's items. `version` changes when the step does, so that the page is read again. */
export function useStep(
  run: string | null,
  step: string | null,
  offset: number,
  version: string,
): UseQueryResult<StepDetails> {
  return useQuery({
    queryKey: ['step', run, step, offset, version],
    queryFn: ({ signal }) => readStep(run as string, step as string, offset, PAGE, signal),
    enabled: run !== null && step !== null,
    staleTime: Number.POSITIVE_INFINITY,
    placeholderData: (before, query) =>
      query?.queryKey[1] === run && query?.queryKey[2] === step ? before : undefined,
  });
}

/** A page of a step's items. Raises `ApiError`. */
export function readStep(
  run: string,
  step: string,
  offset: number,
  limit: number,
  signal?: AbortSignal,
): Promise<StepDetails> {
  const params = { path: { run_id: run, step }, query: { offset, limit } };
  return ask(client.GET('/api/v1/runs/{run_id}/steps/{step}', { params, signal: signal ?? null }));
}

/** The address of a payload's bytes. */
export function blobAddress(digest: string): string {
  return `/api/v1/blobs/${encodeURIComponent(digest)}`;
}
