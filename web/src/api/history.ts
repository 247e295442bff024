/** What a graph's file said before, as queries. */

import { useQuery } from '@tanstack/react-query';
import { ask, client } from './client';

/** Commits of the file and versions that the server keeps, newest first. */
export function useHistory(graph: string, textHash: string) {
  return useQuery({
    // A save makes a version.
    queryKey: ['history', graph, textHash],
    queryFn: () =>
      ask(
        client.GET('/api/v1/graphs/{graph_id}/history', {
          params: { path: { graph_id: graph }, query: { limit: 100 } },
        }),
      ),
  });
}

/** The text of one of them. */
export function useHistoryText(graph: string, ref: string | null) {
  return useQuery({
    queryKey: ['history text', graph, ref],
    enabled: ref !== null,
    staleTime: Number.POSITIVE_INFINITY,
    queryFn: () =>
      ask(
        client.GET('/api/v1/graphs/{graph_id}/history/{ref}', {
          params: { path: { graph_id: graph, ref: ref ?? '' } },
        }),
      ),
  });
}
