/** What nodes were given and gave in a run: which run has data of a graph, and pages of a step's items. */

import { type UseQueryResult, useQuery } from '@tanstack/react-query';
import { ask, client, type Schemas } from './client';

export type StepDetails = Schemas['StepDetails'];
export type ItemView = Schemas['ItemView'];
export type OriginView = Schemas['OriginView'];
export type BlobView = Schemas['BlobView'];

/** Items of a page. */
export const PAGE = 50;
/** Items of a port that the server gives in one answer. */
export const MOST = 1000;
/** The newest run of a graph; null where there is none. */
export function useLastRun(graph: string, enabled = true): UseQueryResult<string | null> {
  return useQuery({
    queryKey: ['runs', 'last', graph],
    queryFn: ({ signal }) => lastRunOf(graph, signal),
    enabled,
  });
}

/** The newest run of a graph, asked for now; null where there is none. */
export async function lastRunOf(graph: string, signal: AbortSignal | null = null): Promise<string | null> {
  const query = { graph, limit: 1 };
  const page = await ask(client.GET('/api/v1/runs', { params: { query }, signal }));
  return page.runs[0]?.id ?? null;
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

/** What a step put out, as somebody who edits it gets it. */
export interface Given {
  /** Items by port, of ports that had any: a list alone would be taken for the first port's. */
  readonly ports: Readonly<Record<string, readonly ItemView['json'][]>>;
  /** Items that are in `ports`, and how many there were. */
  readonly count: number;
  readonly all: number;
  /** Items had files, which JSON does not hold. */
  readonly files: boolean;
}

/** What is known of a step's outputs from one answer of the server. */
export function givenBy(step: Pick<StepDetails, 'outputs'>): Given {
  const found = Object.entries(step.outputs).filter(([, port]) => port.count > 0);
  return {
    ports: Object.fromEntries(found.map(([name, port]) => [name, port.items.map((item) => item.json)])),
    count: found.reduce((sum, [, port]) => sum + port.items.length, 0),
    all: found.reduce((sum, [, port]) => sum + port.count, 0),
    files: found.some(([, port]) => port.items.some((item) => Object.keys(item.binary).length > 0)),
  };
}

/** The address of a payload's bytes. */
export function blobAddress(digest: string): string {
  return `/api/v1/blobs/${encodeURIComponent(digest)}`;
}
