/**
 * Move nodes into the body of a map, and back, where that means the same.
 *
 * The map takes all items as one element, so that each node of its body sees what it has seen before. It has one way
 * in and one way out: what enters elsewhere, or leaves by another port, has no place there.
 */

import { withBody, withField } from './change';
import { type AboutOf, cutOut, isRefusal, type Refusal } from './cut';
import { freshId, freshName } from './ids';
import type { Body, Edge, GraphSpec, Level, NodeSpec, Point } from './model';
import { edgeText, labelOf } from './model';
import { edgesAt, placesOf } from './read';
import { renamedInNode, renamedReferences } from './references';

/** More items than a step has: all of them are one element. */
const ALL_ITEMS = 1_000_000;

export type Moved = { readonly graph: GraphSpec; readonly node: string } | Refusal;

/** The graph with nodes of a level in the body of a new map, or why that is not the same graph. */
export function extracted(
  graph: GraphSpec,
  level: Level,
  ids: ReadonlySet<string>,
  about: AboutOf,
  name: string,
  at: Point,
): Moved {
  const cut = cutOut(graph, level, ids, about);
  if (isRefusal(cut)) return cut;
  const { nodes, own, edges, inside, out, entries, exits } = cut;
  const exit = exits[0];
  if (
    exit === undefined ||
    exits.length > 1 ||
    out.some((edge) => edge.source !== exit.id || edge.sourcePort !== null) ||
    about(exit).outputs.length !== 1
  ) {
    return { reason: 'exit', names: exits.map(labelOf) };
  }
  const read = readFromOutside(graph, own);
  if (read) return { reason: 'reads', names: read };

  const id = freshId(graph, name);
  const entry = entries.length === 1 ? entries[0] : undefined;
  const body: Body = {
    nodes: nodes.map((node) =>
      node === entry ? withField(withField(node, 'join', undefined), 'losers', undefined) : node,
    ),
    ...(inside.length && { edges: inside.map((edge) => edge.text) }),
  };
  const map: NodeSpec = {
    id,
    use: 'flow.map@1',
    name: freshName(graph, name),
    with: { batch: ALL_ITEMS },
    body,
    ...(entry?.join && { join: entry.join }),
    ...(entry?.losers && { losers: entry.losers }),
  };
  const changed = withBody(graph, level, (old) => {
    const fresh = (old.nodes ?? []).flatMap((node) => (node === nodes[0] ? [map] : own.has(node.id) ? [] : [node]));
    const led = edges.flatMap((edge): string[] => {
      const [a, b] = [own.has(edge.source), own.has(edge.target)];
      if (a && b) return [];
      return [edgeText({ ...edge, source: a ? id : edge.source, target: b ? id : edge.target })];
    });
    return { ...old, nodes: fresh, edges: [...new Set(led)] };
  });
  return {
    graph: { ...changed, layout: { ...changed.layout, [id]: [Math.round(at[0]), Math.round(at[1])] } },
    node: id,
  };
}

/** The graph with what is in a map's body in the map's place, or why that is not the same graph. */
export function inlined(graph: GraphSpec, id: string, about: AboutOf): Moved {
  const place = placesOf(graph).get(id);
  const inner = place?.node.body?.nodes ?? [];
  if (!place?.node.use.startsWith('flow.map@') || !inner.length) return { reason: 'kind', names: [] };
  const { batch, on_error: onError } = place.node.with ?? {};
  if (typeof batch !== 'number' || batch < ALL_ITEMS || (onError && onError !== 'stop')) {
    return { reason: 'elements', names: [labelOf(place.node)] };
  }
  const inside = edgesAt(graph, id);
  const entries = inner.filter((node) => !inside.some((edge) => edge.target === node.id));
  const exits = inner.filter((node) => !inside.some((edge) => edge.source === node.id));
  if (exits.some((node) => about(node).outputs.length > 1)) return { reason: 'exit', names: exits.map(labelOf) };
  const { join, losers } = place.node;
  const nodes = inner.map((node) =>
    entries.includes(node)
      ? withField(withField(node, 'join', join ?? node.join), 'losers', losers ?? node.losers)
      : node,
  );
  const changed = withBody(graph, place.level, (old) => ({
    ...old,
    nodes: (old.nodes ?? []).flatMap((node) => (node.id === id ? nodes : [node])),
    edges: [
      ...edgesAt(graph, place.level).flatMap((edge): string[] => {
        const ends = (all: readonly NodeSpec[], part: 'source' | 'target'): Edge[] =>
          edge[part] === id ? all.map((node) => ({ ...edge, [part]: node.id, [`${part}Port`]: null })) : [edge];
        if (edge.source === id) return ends(exits, 'source').map(edgeText);
        return ends(entries, 'target').map(edgeText);
      }),
      ...inside.map((edge) => edge.text),
    ],
  }));
  const layout = { ...changed.layout };
  delete layout[id];
  const exit = exits.length === 1 ? exits[0] : undefined;
  const names = new Set([id, place.node.name]);
  const led = exit ? renamedReferences(changed, (text) => (names.has(text) ? exit.id : text)) : changed;
  return { graph: { ...led, layout }, node: exit?.id ?? inner[0]?.id ?? id };
}

/** Who outside reads what would be inside, and what; null where nobody does. */
function readFromOutside(graph: GraphSpec, own: ReadonlySet<string>): readonly [string, string] | null {
  const places = placesOf(graph);
  const inner = new Set<string>();
  for (const id of own) {
    const node = places.get(id)?.node;
    if (node) collect(node, inner);
  }
  const names = new Map<string, string>();
  for (const id of inner) {
    const node = places.get(id)?.node;
    if (node?.name) names.set(node.name, labelOf(node));
    if (node) names.set(id, labelOf(node));
  }
  let hit: readonly [string, string] | null = null;
  const look = (who: string) => (name: string) => {
    const read = names.get(name);
    if (read) hit ??= [who, read];
    return name;
  };
  for (const { node } of places.values()) {
    if (inner.has(node.id)) continue;
    // What a body inside reads is its own matter; only the node itself is outside.
    renamedInNode(withField(node, 'body', undefined), look(labelOf(node)));
  }
  renamedReferences({ ...graph, nodes: [] }, look('outputs'));
  return hit;
}

function collect(node: NodeSpec, into: Set<string>): void {
  into.add(node.id);
  for (const inner of node.body?.nodes ?? []) collect(inner, into);
}
