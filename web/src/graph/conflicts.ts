/** Settles the conflicts of a three-way merge: each by our side or theirs, as pure changes of the merged graph. */

import { withBody, withEntry, withField, withNode } from './change';
import { withEdits } from './fix';
import type { GraphSpec, JsonObject, NodeSpec } from './model';
import { placesOf } from './read';

/** One place that both sides changed; `parts` names a node by its id, whichever body it is in. */
export interface Conflict {
  readonly path: string;
  readonly parts: readonly (string | number)[];
  readonly kind: 'changed' | 'added' | 'deleted' | 'dangling' | 'order';
  readonly base: unknown;
  readonly ours: unknown;
  readonly theirs: unknown;
  readonly absent: readonly ('base' | 'ours' | 'theirs')[];
}

export type Side = 'ours' | 'theirs';

/** The merged graph, in which every conflict has their side, with our side where that is chosen. */
export function settled(
  merged: GraphSpec,
  ours: GraphSpec,
  conflicts: readonly Conflict[],
  sides: readonly Side[],
): GraphSpec {
  // Nodes come before edges: an edge that is taken back needs its node.
  const chosen = conflicts.filter((_, index) => sides[index] === 'ours');
  const first = chosen.filter((conflict) => conflict.parts[0] !== 'edges');
  const last = chosen.filter((conflict) => conflict.parts[0] === 'edges');
  return [...first, ...last].reduce((graph, conflict) => withOurs(graph, ours, conflict), merged);
}

function withOurs(graph: GraphSpec, ours: GraphSpec, conflict: Conflict): GraphSpec {
  const [root, id, ...rest] = conflict.parts;
  const value = conflict.absent.includes('ours') ? undefined : conflict.ours;
  if (root === 'edges') return withEdge(graph, ours, String(id ?? ''), value !== undefined);
  if (root !== 'nodes' || id === undefined) {
    return withEdits(graph, [{ path: conflict.parts, ...(value === undefined ? { remove: true } : { value }) }]);
  }
  if (rest.length === 0) return withWholeNode(graph, ours, String(id), value as NodeSpec | undefined);
  return withNode(graph, String(id), (node) => {
    const [changed] = withEdits({ pyagent: 1, id: 'node', nodes: [node] }, [
      { path: ['nodes', 0, ...rest], ...(value === undefined ? { remove: true } : { value }) },
    ]).nodes;
    return changed ?? node;
  });
}

function withWholeNode(graph: GraphSpec, ours: GraphSpec, id: string, node: NodeSpec | undefined): GraphSpec {
  const level = placesOf(node ? ours : graph).get(id)?.level ?? null;
  const without = withBody(graph, level, (body) => {
    const nodes = body.nodes ?? [];
    const at = nodes.findIndex((one) => one.id === id);
    if (!node) return at < 0 ? body : { ...body, nodes: nodes.toSpliced(at, 1) };
    return { ...body, nodes: at < 0 ? [...nodes, node] : nodes.toSpliced(at, 1, node) };
  });
  const place = ours.layout?.[id];
  const layout = withEntry(without.layout, id, node ? (without.layout?.[id] ?? place) : undefined);
  return withField(without, 'layout', layout);
}

function withEdge(graph: GraphSpec, ours: GraphSpec, text: string, there: boolean): GraphSpec {
  const target = text.split('->')[1]?.trim().split('.')[0] ?? '';
  const level = placesOf(there ? ours : graph).get(target)?.level ?? null;
  return withBody(graph, level, (body) => {
    const edges = (body.edges ?? []).filter((edge) => edge !== text);
    return { ...body, edges: there ? [...edges, text] : edges };
  });
}

/** A side of a conflict in words. */
export function told(conflict: Conflict, side: Side): string | null {
  if (conflict.absent.includes(side)) return null;
  const value = conflict[side];
  return typeof value === 'string' ? value : JSON.stringify(value as JsonObject, null, 2);
}
