/** The node types that are installed: fetched once, kept while the page is open. */

import { useQuery } from '@tanstack/react-query';
import { ask, client, type Schemas } from './client';

export type NodeTypeSummary = Schemas['NodeTypeSummary'];
export type NodeTypeDetails = Schemas['NodeTypeDetails'];
export type NodeTypes = ReadonlyMap<string, NodeTypeSummary>;

const NONE: NodeTypes = new Map();

/** Every installed node type by `domain.name@version`; empty until the server has told. */
export function useNodeTypes(): NodeTypes {
  const { data } = useQuery({
    queryKey: ['node-types'],
    queryFn: async ({ signal }): Promise<NodeTypes> => {
      const { nodes } = await ask(client.GET('/api/v1/nodes', { signal }));
      return new Map(nodes.map((node) => [node.use, node]));
    },
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: Number.POSITIVE_INFINITY,
  });
  return data ?? NONE;
}

/** A node type with its parameters' schema; undefined until it has come, or where it is not installed. */
export function useNodeType(use: string | null): NodeTypeDetails | undefined {
  const types = useNodeTypes();
  const { data } = useQuery({
    queryKey: ['node-type', use],
    queryFn: ({ signal }) =>
      ask(client.GET('/api/v1/nodes/{use}', { params: { path: { use: use as string } }, signal })),
    enabled: use !== null && types.has(use),
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: Number.POSITIVE_INFINITY,
  });
  return data;
}

/** `http.request` of `http.request@1`: the domain and name, for people. */
export function typeName(use: string): string {
  return use.replace(/@\d+$/, '');
}

/** `http` of `http.request@1`. */
export function domainOf(use: string): string {
  return use.split('.', 1)[0] ?? use;
}
