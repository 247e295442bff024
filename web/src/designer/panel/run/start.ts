/** Running a part of the graph from its editor: what is shown is saved first, then the run begins. */

import { ask, client } from '@/api/client';
import { save } from '@/editor/files';
import type { Editor } from '@/editor/store';

/** Run this node alone, everything up to it, or everything from it on. */
export type Part = 'node' | 'to' | 'from';

/** Start it; gives the run's id. Raises `ApiError`. */
export async function runPart(editor: Editor, node: string, part: Part): Promise<string> {
  await save(editor);
  const graph = editor.getState().id;
  if (part !== 'to') {
    const kept = await ask(
      client.GET('/api/v1/graphs/{graph_id}/kept', { params: { path: { graph_id: graph }, query: { node } } }),
    );
    if (kept.run) {
      const until = part === 'node' ? { until: kept.node } : {};
      const forked = await ask(
        client.POST('/api/v1/runs/{run_id}/fork', {
          params: { path: { run_id: kept.run.id } },
          body: { step: kept.node, graph, once: 'repeat', ...until },
        }),
      );
      return forked.id;
    }
  }
  const until = part === 'from' ? {} : { until: node };
  const started = await ask(client.POST('/api/v1/runs', { body: { graph, test: true, ...until } as never }));
  return started.id;
}
