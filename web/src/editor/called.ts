/** The graph that a node calls, as it is on disk. */

import { ask, client } from '@/api/client';
import type { GraphSpec } from '@/graph/model';
import { specOf } from '@/graph/read';
import type { NodeFacts } from './store';

/** A graph of the library and the facts of its nodes. */
export interface Called {
  readonly graph: GraphSpec;
  readonly facts: { readonly [node: string]: NodeFacts };
}

/** Read a graph of the library. Raises `ApiError`. */
export async function readCalled(id: string): Promise<Called> {
  const { text, spec } = await ask(client.GET('/api/v1/graphs/{graph_id}', { params: { path: { graph_id: id } } }));
  const told = await ask(client.POST('/api/v1/graphs/edit', { body: { text, spec } }));
  return { graph: specOf(spec), facts: told.nodes };
}
