/** What is sure before anything runs: that a node has run when another one does, that it gives items. */

import type { AboutOf, Cut } from './cut';
import type { GraphSpec, Level, NodeSpec } from './model';
import { edgesAt, type KnownEdge, nodesAt, placesOf } from './read';

/** Types that put something out on their first port whenever they are given something. */
const GIVERS: ReadonlySet<string> = new Set([
  'data.aggregate',
  'data.datetime',
  'data.rename',
  'data.set',
  'data.sort',
  'flow.noop',
  'flow.signal',
  'flow.wait',
  'io.email',
  'io.write_file',
]);

/** Whether a node that runs is sure to put something out on its first port. */
export function surelyGives(node: NodeSpec): boolean {
  if (node.always_output) return true;
  if (node.disabled || node.on_error === 'route') return false;
  const type = node.use.split('@')[0] ?? '';
  // A signal that does not come in time leads on by the second port.
  if (type === 'flow.wait' && node.with?.timeout !== undefined) return false;
  return GIVERS.has(type);
}

/** The nodes of a cut that run whenever it is entered. */
export function surelyRun({ nodes, inside, entries }: Cut, about: AboutOf): ReadonlySet<string> {
  const sure = new Set(entries.map((node) => node.id));
  const byId = new Map(nodes.map((node) => [node.id, node]));
  for (let before = -1; before < sure.size; ) {
    before = sure.size;
    for (const edge of inside) {
      const source = byId.get(edge.source);
      const target = byId.get(edge.target);
      if (!source || !target || !sure.has(source.id) || !surelyGives(source)) continue;
      const first = edge.sourcePort === null || edge.sourcePort === about(source).outputs[0];
      if (first && (!target.join || target.join === 'all' || target.join === 'any')) sure.add(target.id);
    }
  }
  return sure;
}

/** Whether a node of a level can run only after another one of it, which has put something out on the way. */
export function comesAfter(graph: GraphSpec, level: Level, node: string, before: string): boolean {
  return node !== before && comesAfterIn(nodesAt(graph, level), edgesAt(graph, level), node, before);
}

function comesAfterIn(nodes: readonly NodeSpec[], edges: readonly KnownEdge[], node: string, before: string): boolean {
  const targets = new Set(edges.map((edge) => edge.target));
  const open = nodes.flatMap(({ id }) => (targets.has(id) || id === before ? [] : [id]));
  const seen = new Set(open);
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    if (id === node) return false;
    for (const edge of edges) {
      if (edge.source !== id || edge.target === before || seen.has(edge.target)) continue;
      seen.add(edge.target);
      open.push(edge.target);
    }
  }
  return true;
}

/** The node of that level that a node is, or is inside of; null where it is neither. */
export function ancestorAt(graph: GraphSpec, id: string, level: Level): string | null {
  const places = placesOf(graph);
  for (let at: string | null = id; at !== null; ) {
    const place = places.get(at);
    if (!place) return null;
    if (place.level === level) return at;
    at = place.level;
  }
  return null;
}
