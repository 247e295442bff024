/** Graphs of the library and what is done with whole files, as queries. */

import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect } from 'react';
import { ask, client, type Schemas } from './client';
import { watchGraphs } from './watch';

const KEY = ['graphs'];

/** Every graph of the library; it follows the files on disk. */
export function useGraphs() {
  const queries = useQueryClient();
  useEffect(() => watchGraphs(() => void queries.invalidateQueries({ queryKey: KEY })), [queries]);
  return useQuery({ queryKey: KEY, queryFn: () => allGraphs() });
}

async function allGraphs(): Promise<readonly Schemas['ListedGraph'][]> {
  const found: Schemas['ListedGraph'][] = [];
  for (let after = ''; ; ) {
    const page = await ask(client.GET('/api/v1/graphs', { params: { query: { after, limit: 1000 } } }));
    // What is read loses the length of lists on its way through the client's types.
    found.push(...(page.graphs as Schemas['ListedGraph'][]));
    if (page.next === null) return found;
    after = page.next;
  }
}

/** Write a new graph file. */
export function useCreateGraph() {
  return useChange((body: { text: string } | { spec: Record<string, unknown> }) =>
    ask(client.POST('/api/v1/graphs', { body: body as Schemas['NewGraph'] })),
  );
}

/** Copy a graph under another id. */
export function useDuplicateGraph() {
  return useChange(({ graph, id, name }: { graph: string; id: string; name: string }) =>
    ask(
      client.POST('/api/v1/graphs/{graph_id}/duplicate', { params: { path: { graph_id: graph } }, body: { id, name } }),
    ),
  );
}

/** Delete a graph's file as it is now. */
export function useDeleteGraph() {
  return useChange(async (graph: string) => {
    const { response } = await client.GET('/api/v1/graphs/{graph_id}/text', {
      params: { path: { graph_id: graph } },
      parseAs: 'text',
    });
    const etag = response.headers.get('etag') ?? '';
    await ask(
      client.DELETE('/api/v1/graphs/{graph_id}', {
        params: { path: { graph_id: graph }, header: { 'If-Match': etag } },
      }),
    );
  });
}

function useChange<Input, Output>(change: (input: Input) => Promise<Output>) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: change,
    onSettled: () => queries.invalidateQueries({ queryKey: KEY }),
  });
}
