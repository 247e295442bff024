import { useState } from 'react';
import { useLocation } from 'wouter';
import { useCreateGraph, useGraphs } from '@/api/graphs';
import { freeId } from '@/graph/ids';
import { words } from '@/text/language';
import { showError } from '@/widgets/showError';
import { beginTour } from './state';

/** Makes a small graph, opens it, and begins the tour in it. */
export function useBeginTour(): { readonly begin: () => void; readonly busy: boolean } {
  const graphs = useGraphs();
  const create = useCreateGraph();
  const [busy, setBusy] = useState(false);
  const [, go] = useLocation();
  const begin = async () => {
    setBusy(true);
    try {
      const taken = new Set((graphs.data ?? []).map((graph) => graph.id));
      const made = await create.mutateAsync({
        spec: {
          pyagent: 1,
          id: freeId(taken, 'first_graph'),
          name: words.tour.graph,
          nodes: [
            {
              id: 'greet',
              use: 'data.set@1',
              name: words.tour.firstNode,
              with: { fields: { text: words.tour.hello } },
            },
          ],
          layout: { greet: [0, 0] },
        },
      });
      beginTour(made.id);
      go(`/graphs/${made.id}`);
    } catch (error) {
      showError(error);
    } finally {
      setBusy(false);
    }
  };
  return { begin: () => void begin(), busy };
}
