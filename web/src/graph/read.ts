/** Looks into a graph: nodes of a level, edges, places. What is derived is kept as long as what it was derived from. */

import type { Body, Edge, GraphSpec, Level, NodeSpec } from './model';
import { parseEdge } from './model';

/** Something derived from an immutable value once. */
export function memo<K extends object, V>(derive: (key: K) => V): (key: K) => V {
  const kept = new WeakMap<K, V>();
  return (key) => {
    let value = kept.get(key);
    if (value === undefined) {
      value = derive(key);
      kept.set(key, value);
    }
    return value;
  };
}

type Told = { readonly [key: string]: unknown };

const whole = memo((told: Told): GraphSpec => {
  const spec = told as GraphSpec;
  return (told as Partial<GraphSpec>).nodes ? spec : { ...spec, nodes: [] };
});

/** A graph as the server tells it, which leaves out what is empty; null stays null. */
export function specOf(told: Told): GraphSpec;
export function specOf(told: Told | null | undefined): GraphSpec | null;
export function specOf(told: Told | null | undefined): GraphSpec | null {
  return told ? whole(told) : null;
}

/** A node and the level it is in. */
export interface Place {
  readonly node: NodeSpec;
  readonly level: Level;
}

const EMPTY: Body = {};

/** Every node of the file by id, bodies included; of equal ids the first. */
export const placesOf = memo((graph: GraphSpec): ReadonlyMap<string, Place> => {
  const found = new Map<string, Place>();
  const walk = (nodes: readonly NodeSpec[], level: Level): void => {
    for (const node of nodes) {
      if (!found.has(node.id)) found.set(node.id, { node, level });
      if (node.body?.nodes) walk(node.body.nodes, node.id);
    }
  };
  walk(graph.nodes, null);
  return found;
});

/** The node with that id, wherever it is. */
export function nodeOf(graph: GraphSpec, id: string): NodeSpec | undefined {
  return placesOf(graph).get(id)?.node;
}

/** Nodes and edges of a level. */
export function bodyAt(graph: GraphSpec, level: Level): Body {
  if (level === null) return graph;
  return nodeOf(graph, level)?.body ?? EMPTY;
}

/** The nodes of a level, in the order of the file. */
export function nodesAt(graph: GraphSpec, level: Level): readonly NodeSpec[] {
  return bodyAt(graph, level).nodes ?? [];
}

/** An edge with its text, which names it. */
export interface KnownEdge extends Edge {
  readonly text: string;
}

const parsed = memo((edges: readonly string[]): readonly KnownEdge[] =>
  edges.flatMap((text) => {
    const edge = parseEdge(text);
    return edge ? [{ ...edge, text }] : [];
  }),
);
const NO_EDGES: readonly string[] = [];

/** The edges of a level that can be read, in the order of the file. */
export function edgesAt(graph: GraphSpec, level: Level): readonly KnownEdge[] {
  return parsed(bodyAt(graph, level).edges ?? NO_EDGES);
}

/** The levels from the graph itself down to that one: breadcrumbs. */
export function pathTo(graph: GraphSpec, level: Level): readonly Level[] {
  const path: Level[] = [];
  const places = placesOf(graph);
  for (let at = level; at !== null; at = places.get(at)?.level ?? null) path.unshift(at);
  return [null, ...path];
}
