/** Rename nodes so that nothing breaks: the id stays, expressions that say the old name follow. */

import { withBody, withEntry, withField, withNode } from './change';
import { isId } from './ids';
import type { Body, Edit, GraphSpec, NodeSpec } from './model';
import { renamedEnd, withCanvas } from './nodes';
import { placesOf } from './read';
import { renamedReferences } from './references';

/** Give a node another name; an empty one leaves its id to be seen. */
export function renameNode(id: string, name: string): Edit {
  const wanted = name.trim();
  return (graph) => {
    const old = placesOf(graph).get(id)?.node;
    if (!old || (old.name ?? '') === wanted) return graph;
    const renamed = withNode(graph, id, (node) => withField(node, 'name', wanted || undefined));
    const before = old.name;
    // An id goes before a name, and a name that two nodes have means another one than this: both stay as they are.
    if (!before || placesOf(graph).has(before) || named(graph, before) > 1) return renamed;
    const after = wanted && !placesOf(graph).has(wanted) && named(renamed, wanted) === 1 ? wanted : id;
    return renamedReferences(renamed, (text) => (text === before ? after : text));
  };
}

function named(graph: GraphSpec, name: string): number {
  let count = 0;
  for (const { node } of placesOf(graph).values()) if (node.name === name) count++;
  return count;
}

/** Why a node cannot have that id; null where it can. */
export function idProblem(graph: GraphSpec, id: string, wanted: string): 'form' | 'taken' | null {
  if (!isId(wanted)) return 'form';
  return wanted !== id && placesOf(graph).has(wanted) ? 'taken' : null;
}

/** Give a node another id, everywhere; nothing where it cannot have it. Runs of the old id are another node's. */
export function renameId(id: string, wanted: string): Edit {
  return (graph) => {
    const place = placesOf(graph).get(id);
    if (!place || wanted === id || idProblem(graph, id, wanted)) return graph;
    let changed = withBody(graph, place.level, (body) => ({
      ...body,
      nodes: (body.nodes ?? []).map((node): NodeSpec => (node === place.node ? { ...node, id: wanted } : node)),
      ...edgesOf(body, id, wanted),
    }));
    changed = withField(changed, 'layout', moved(changed.layout, id, wanted));
    changed = withField(changed, 'pins', moved(changed.pins, id, wanted));
    changed = withCanvas(changed, 'colors', moved(changed.canvas?.colors, id, wanted));
    return renamedReferences(changed, (text) => (text === id ? wanted : text));
  };
}

function edgesOf(body: Body, id: string, wanted: string): Pick<Body, 'edges'> {
  if (!body.edges) return {};
  const edges = body.edges.map((text) => renamedEnd(text, id, wanted));
  return { edges: edges.every((text, index) => text === body.edges?.[index]) ? body.edges : edges };
}

function moved<V>(map: { readonly [id: string]: V } | undefined, from: string, to: string) {
  const value = map?.[from];
  return value === undefined ? map : withEntry(withEntry(map, from, undefined), to, value);
}
