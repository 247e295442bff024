/** What stands before and after a node along the edges. */

import type { GraphSpec, Level, NodeSpec } from '@/graph/model';
import { edgesAt, type KnownEdge, nodeOf, nodesAt, placesOf } from '@/graph/read';

/** The edges into a node, in the order of the file. */
export function edgesInto(graph: GraphSpec, node: string): readonly KnownEdge[] {
  const place = placesOf(graph).get(node);
  return place ? edgesAt(graph, place.level).filter((edge) => edge.target === node) : [];
}

/** The nodes that stand directly before or after a node, each once. */
export function neighbours(
  graph: GraphSpec,
  node: string,
): { before: readonly NodeSpec[]; after: readonly NodeSpec[] } {
  const place = placesOf(graph).get(node);
  if (!place) return { before: [], after: [] };
  const edges = edgesAt(graph, place.level);
  const known = (ids: readonly string[]) =>
    [...new Set(ids)].flatMap((id) => {
      const found = id === node ? undefined : nodeOf(graph, id);
      return found ? [found] : [];
    });
  return {
    before: known(edges.filter((edge) => edge.target === node).map((edge) => edge.source)),
    after: known(edges.filter((edge) => edge.source === node).map((edge) => edge.target)),
  };
}

/** All from which edges lead to a node, the nearest first; for one in a body, what leads to the body, too. */
export function ancestors(graph: GraphSpec, node: string): readonly NodeSpec[] {
  const found = new Map<string, NodeSpec>();
  const places = placesOf(graph);
  let at: string | null = node;
  while (at !== null) {
    const level: Level = places.get(at)?.level ?? null;
    for (const one of leadingTo(graph, level, at)) if (one.id !== node && !found.has(one.id)) found.set(one.id, one);
    at = level;
  }
  return [...found.values()];
}

/** The nodes of a level from which edges lead to one of them. */
function leadingTo(graph: GraphSpec, level: Level, end: string): readonly NodeSpec[] {
  const into = new Map<string, string[]>();
  for (const edge of edgesAt(graph, level)) into.set(edge.target, [...(into.get(edge.target) ?? []), edge.source]);
  const byId = new Map(nodesAt(graph, level).map((one) => [one.id, one]));
  const found = new Map<string, NodeSpec>();
  const queue = [end];
  for (let id = queue.shift(); id !== undefined; id = queue.shift()) {
    for (const source of into.get(id) ?? []) {
      const known = byId.get(source);
      if (!known || source === end || found.has(source)) continue;
      found.set(source, known);
      queue.push(source);
    }
  }
  return [...found.values()];
}
