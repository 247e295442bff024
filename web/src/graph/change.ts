/** The two changes that every edit is made of: of one level's nodes and edges, and of one of the graph's maps. */

import type { Body, GraphSpec, Level, NodeSpec } from './model';
import { bodyAt, placesOf } from './read';

/** The graph with another body at that level; the same graph where the body is the same. */
export function withBody(graph: GraphSpec, level: Level, change: (body: Body) => Body): GraphSpec {
  const old = bodyAt(graph, level);
  const fresh = change(old);
  if (fresh === old) return graph;
  if (level === null) {
    return withoutEmpty({ ...graph, nodes: fresh.nodes ?? [], edges: fresh.edges ?? [] }, 'edges');
  }
  return withNode(graph, level, (node) => ({ ...node, body: withoutEmpty({ ...fresh }, 'nodes', 'edges') }));
}

/** The graph with another node in the place of that one, wherever it is. */
export function withNode(graph: GraphSpec, id: string, change: (node: NodeSpec) => NodeSpec): GraphSpec {
  const place = placesOf(graph).get(id);
  if (!place) return graph;
  const fresh = change(place.node);
  if (fresh === place.node) return graph;
  return withBody(graph, place.level, (body) => ({
    ...body,
    nodes: (body.nodes ?? []).map((node) => (node === place.node ? fresh : node)),
  }));
}

/** A map with an entry set, or removed where the value is undefined; undefined where none is left. */
export function withEntry<V>(
  map: { readonly [key: string]: V } | undefined,
  key: string,
  value: V | undefined,
): { readonly [key: string]: V } | undefined {
  if (value === undefined) {
    if (!map || !(key in map)) return map;
    const { [key]: _, ...rest } = map;
    return Object.keys(rest).length ? rest : undefined;
  }
  if (map?.[key] === value) return map;
  return { ...map, [key]: value };
}

/** An object with a field set, or removed where the value is undefined. */
export function withField<T extends object, K extends keyof T>(object: T, key: K, value: T[K] | undefined): T {
  if (object[key] === value && (value !== undefined || !(key in object))) return object;
  const { [key]: _, ...rest } = object;
  if (value === undefined) return rest as T;
  // A field that was there keeps its place in the file.
  return key in object ? { ...object, [key]: value } : { ...object, [key]: value };
}

function withoutEmpty<T extends object>(object: T, ...keys: (keyof T)[]): T {
  for (const key of keys) {
    const value = object[key];
    if (Array.isArray(value) && value.length === 0) delete object[key];
  }
  return object;
}
