/** Edits of nodes: add, remove, set fields, switch off. What belongs to a node goes with it. */

import { withBody, withEntry, withField, withNode } from './change';
import type { Canvas, Edit, GraphSpec, Level, NodeSpec, Point } from './model';
import { edgeText, parseEdge } from './model';
import { placesOf } from './read';

/** Whole numbers: what a file says of a place. */
export function rounded([x, y]: Point): Point {
  return [Math.round(x), Math.round(y)];
}

/** Add a node to a level; nothing where its id is taken, or where there is no such level. */
export function addNode(level: Level, node: NodeSpec, at: Point): Edit {
  return (graph) => {
    const known = placesOf(graph);
    if (known.has(node.id) || (level !== null && !known.has(level))) return graph;
    const placed = { ...graph, layout: { ...graph.layout, [node.id]: rounded(at) } };
    return withBody(placed, level, (body) => ({ ...body, nodes: [...(body.nodes ?? []), node] }));
  };
}

/** These nodes and all that is in their bodies. */
export function withInner(graph: GraphSpec, ids: Iterable<string>): ReadonlySet<string> {
  const places = placesOf(graph);
  const found = new Set<string>();
  const walk = (node: NodeSpec): void => {
    found.add(node.id);
    for (const inner of node.body?.nodes ?? []) walk(inner);
  };
  for (const id of ids) {
    const place = places.get(id);
    if (place) walk(place.node);
  }
  return found;
}

/** Remove nodes, with their edges and what the file says of them elsewhere. */
export function removeNodes(ids: Iterable<string>): Edit {
  const wanted = new Set(ids);
  return (graph) => {
    const gone = withInner(graph, wanted);
    if (gone.size === 0) return graph;
    const places = placesOf(graph);
    const levels = new Set<Level>();
    for (const id of gone) levels.add(places.get(id)?.level ?? null);
    let changed: GraphSpec = graph;
    for (const level of levels) {
      // A body that is removed with its owner needs no change of its own.
      if (level !== null && gone.has(level)) continue;
      changed = withBody(changed, level, (body) => ({
        ...body,
        nodes: (body.nodes ?? []).filter((node) => !gone.has(node.id)),
        ...(body.edges && { edges: body.edges.filter((text) => !touches(text, gone)) }),
      }));
    }
    return forgotten(changed, gone);
  };
}

/** Whether an edge begins or ends at one of these nodes. */
export function touches(text: string, ids: ReadonlySet<string>): boolean {
  const edge = parseEdge(text);
  return edge !== null && (ids.has(edge.source) || ids.has(edge.target));
}

/** The graph without what it says of nodes outside of their own entries. */
function forgotten(graph: GraphSpec, ids: ReadonlySet<string>): GraphSpec {
  let changed = withField(graph, 'layout', filtered(graph.layout, ids));
  changed = withField(changed, 'pins', filtered(graph.pins, ids));
  return withCanvas(changed, 'colors', filtered(graph.canvas?.colors, ids));
}

function filtered<V>(map: { readonly [id: string]: V } | undefined, without: ReadonlySet<string>) {
  if (!map || !Object.keys(map).some((id) => without.has(id))) return map;
  const left = Object.entries(map).filter(([id]) => !without.has(id));
  return left.length ? Object.fromEntries(left) : undefined;
}

/** The graph with a part of its canvas changed; a canvas with nothing on it is left out. */
export function withCanvas<K extends keyof Canvas>(graph: GraphSpec, part: K, value: Canvas[K] | undefined): GraphSpec {
  const canvas = withField(graph.canvas ?? {}, part, value);
  if (canvas === graph.canvas || (!graph.canvas && value === undefined)) return graph;
  return withField(graph, 'canvas', Object.keys(canvas).length ? canvas : undefined);
}

/** Set a field of a node, or remove it where the value is undefined. */
export function setField<K extends keyof NodeSpec>(id: string, field: K, value: NodeSpec[K] | undefined): Edit {
  return (graph) => withNode(graph, id, (node) => withField(node, field, value));
}

/** Switch nodes off, or on again where all of them are off. */
export function toggleDisabled(ids: Iterable<string>): Edit {
  const wanted = [...ids];
  return (graph) => {
    const places = placesOf(graph);
    const off = wanted.every((id) => places.get(id)?.node.disabled);
    return wanted.reduce((changed, id) => setField(id, 'disabled', off ? undefined : true)(changed), graph);
  };
}

/** Pin what a node puts out, or unpin where the value is undefined. */
export function setPins(id: string, value: NonNullable<GraphSpec['pins']>[string] | undefined): Edit {
  return (graph) => withField(graph, 'pins', withEntry(graph.pins, id, value));
}

/** Move nodes to places. */
export function moveNodes(places: ReadonlyMap<string, Point>): Edit {
  return (graph) => {
    const known = placesOf(graph);
    let layout: { [id: string]: Point } | null = null;
    for (const [id, at] of places) {
      const old = graph.layout?.[id];
      const point = rounded(at);
      if (!known.has(id) || (old && old[0] === point[0] && old[1] === point[1])) continue;
      layout ??= { ...graph.layout };
      layout[id] = point;
    }
    return layout ? { ...graph, layout } : graph;
  };
}

/** An edge with another node in the place of one, as text. */
export function renamedEnd(text: string, from: string, to: string): string {
  const edge = parseEdge(text);
  if (!edge || (edge.source !== from && edge.target !== from)) return text;
  return edgeText({
    ...edge,
    source: edge.source === from ? to : edge.source,
    target: edge.target === from ? to : edge.target,
  });
}
