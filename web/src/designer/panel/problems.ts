/** Which problems of the graph are about a node, and which about one of its fields. */

import type { Schemas } from '@/api/client';
import type { GraphSpec, NodeSpec } from '@/graph/model';
import { memo } from '@/graph/read';

export type Problem = Schemas['ProblemView'];

/** Where each node is in the graph as data: `["nodes", 3, "body", "nodes", 0]`. */
const pathsOf = memo((graph: GraphSpec): ReadonlyMap<string, string> => {
  const found = new Map<string, string>();
  const walk = (nodes: readonly NodeSpec[], before: string): void => {
    for (const [index, node] of nodes.entries()) {
      const path = `${before}/${index}`;
      found.set(node.id, path);
      if (node.body?.nodes) walk(node.body.nodes, `${path}/body/nodes`);
    }
  };
  walk(graph.nodes, 'nodes');
  return found;
});

/**
 * The problems at a node's field, and inside of it where `inside` says so. An empty field is the node as a whole, an
 * empty node the graph.
 */
export function problemsAt(
  checked: { graph: GraphSpec; problems: readonly Problem[] } | null,
  node: string,
  field: string,
  inside: boolean,
): readonly Problem[] {
  const place = checked && (node === '' ? '' : pathsOf(checked.graph).get(node));
  if (!checked || place === undefined || place === null) return NONE;
  const wanted = [place, field].filter(Boolean).join('/');
  const found = checked.problems.filter((problem) => {
    const path = (problem.path ?? []).join('/');
    return path === wanted || (inside && path.startsWith(`${wanted}/`));
  });
  return found.length ? found : NONE;
}

const NONE: readonly Problem[] = [];
