/** Edits of edges: connect, disconnect, lead elsewhere, put a node in between. */

import { withBody } from './change';
import type { Body, Edge, Edit, Level, NodeSpec, Point } from './model';
import { edgeText, parseEdge } from './model';
import { addNode } from './nodes';
import { bodyAt, placesOf } from './read';

/** Connect two nodes of a level; nothing where they are connected so, or where one is not there. */
export function connect(level: Level, edge: Edge): Edit {
  return (graph) =>
    withBody(graph, level, (body) => {
      if (!has(body, edge.source) || !has(body, edge.target)) return body;
      if ((body.edges ?? []).some((text) => same(text, edge))) return body;
      return { ...body, edges: [...(body.edges ?? []), edgeText(edge)] };
    });
}

/** Remove edges of a level. */
export function disconnect(level: Level, texts: Iterable<string>): Edit {
  const gone = new Set(texts);
  return (graph) =>
    withBody(graph, level, (body) => {
      const left = (body.edges ?? []).filter((text) => !gone.has(text));
      return left.length === (body.edges ?? []).length ? body : { ...body, edges: left };
    });
}

/** Lead an edge elsewhere; it keeps its place in the order, which decides how deliveries are joined. */
export function reconnect(level: Level, text: string, edge: Edge): Edit {
  return (graph) =>
    withBody(graph, level, (body) => {
      const edges = body.edges ?? [];
      if (!has(body, edge.source) || !has(body, edge.target) || !edges.includes(text) || same(text, edge)) return body;
      if (edges.some((other) => same(other, edge))) return body;
      return { ...body, edges: edges.map((old) => (old === text ? edgeText(edge) : old)) };
    });
}

/** Put a new node on an edge: what came over it goes through the node, by these ports of it. */
export function insertOnEdge(
  level: Level,
  text: string,
  node: NodeSpec,
  at: Point,
  ports: { readonly into: string | null; readonly out: string | null } = { into: null, out: null },
): Edit {
  return (graph) => {
    const edge = parseEdge(text);
    if (!edge || placesOf(graph).has(node.id) || !bodyAt(graph, level).edges?.includes(text)) return graph;
    const added = addNode(level, node, at)(graph);
    return withBody(added, level, (body) => {
      const edges = body.edges ?? [];
      const before = edgeText({ ...edge, target: node.id, targetPort: ports.into });
      const after = edgeText({ ...edge, source: node.id, sourcePort: ports.out });
      return { ...body, edges: edges.flatMap((old) => (old === text ? [before, after] : [old])) };
    });
  };
}

function has(body: Body, id: string): boolean {
  return (body.nodes ?? []).some((node) => node.id === id);
}

/** Whether a text says that edge, written as it may be. */
function same(text: string, edge: Edge): boolean {
  const other = parseEdge(text);
  return (
    other !== null &&
    other.source === edge.source &&
    other.target === edge.target &&
    (other.sourcePort ?? null) === (edge.sourcePort ?? null) &&
    (other.targetPort ?? null) === (edge.targetPort ?? null)
  );
}
