/** A selection of a level, and how it hangs together with the rest. */

import type { GraphSpec, Level, NodeSpec } from './model';
import { labelOf } from './model';
import { edgesAt, type KnownEdge, nodesAt } from './read';

/** Why something cannot be done; `names` say where. */
export interface Refusal {
  readonly reason:
    | 'few'
    | 'entry'
    | 'exit'
    | 'trigger'
    | 'loop'
    | 'reads'
    | 'kind'
    | 'elements'
    | 'pinned'
    | 'state'
    | 'own'
    | 'context'
    | 'computed'
    | 'quoted'
    | 'hidden'
    | 'skipped'
    | 'ofItem'
    | 'mayNotRun'
    | 'undeclared'
    | 'wholeInputs'
    | 'settings'
    | 'values'
    | 'join';
  readonly names: readonly string[];
}

/** What has to be known of a node's type. */
export interface About {
  readonly outputs: readonly string[];
  readonly trigger: boolean;
}

export type AboutOf = (node: NodeSpec) => About;

/** Nodes that have one way in. */
export interface Cut {
  readonly nodes: readonly NodeSpec[];
  readonly own: ReadonlySet<string>;
  /** All edges of the level, and those of them inside, into and out of the nodes. */
  readonly edges: readonly KnownEdge[];
  readonly inside: readonly KnownEdge[];
  readonly into: readonly KnownEdge[];
  readonly out: readonly KnownEdge[];
  /** The nodes that no edge inside leads to, and those that none leads from. */
  readonly entries: readonly NodeSpec[];
  readonly exits: readonly NodeSpec[];
}

/** The nodes of a level cut out, or why what comes in would not be what comes in now. */
export function cutOut(graph: GraphSpec, level: Level, ids: ReadonlySet<string>, about: AboutOf): Cut | Refusal {
  const nodes = nodesAt(graph, level).filter((node) => ids.has(node.id));
  const own = new Set(nodes.map((node) => node.id));
  if (!nodes.length) return { reason: 'few', names: [] };
  const trigger = nodes.find((node) => about(node).trigger);
  if (trigger) return { reason: 'trigger', names: [labelOf(trigger)] };

  const edges = edgesAt(graph, level);
  const inside = edges.filter((edge) => own.has(edge.source) && own.has(edge.target));
  const into = edges.filter((edge) => !own.has(edge.source) && own.has(edge.target));
  const out = edges.filter((edge) => own.has(edge.source) && !own.has(edge.target));
  const entries = nodes.filter((node) => !inside.some((edge) => edge.target === node.id));
  const exits = nodes.filter((node) => !inside.some((edge) => edge.source === node.id));

  const entered = new Set(into.map((edge) => edge.target));
  const sources = entries.map((node) => from(into, node.id));
  const first = sources[0];
  if (
    first === undefined ||
    [...entered].some((id) => !entries.some((node) => node.id === id)) ||
    sources.some((one) => one !== first) ||
    into.some((edge) => edge.targetPort !== null) ||
    (entries.length > 1 && entries.some((node) => node.join && node.join !== 'all'))
  ) {
    return { reason: 'entry', names: entries.map(labelOf) };
  }
  // A loop that comes back would enter where it began.
  const after = reachable(edges, out, own);
  if (into.some((edge) => after.has(edge.source)) && into.some((edge) => !after.has(edge.source))) {
    return { reason: 'loop', names: [] };
  }
  return { nodes, own, edges, inside, into, out, entries, exits };
}

/** Whether something could not be done. */
export function isRefusal(made: object): made is Refusal {
  return 'reason' in made;
}

/** What leads to a node from outside, in the order in which it comes in, as one text. */
function from(into: readonly KnownEdge[], id: string): string {
  return into
    .filter((edge) => edge.target === id)
    .map((edge) => `${edge.source}.${edge.sourcePort ?? ''}`)
    .join(' ');
}

/** The nodes after these edges, those inside not followed. */
export function reachable(
  edges: readonly KnownEdge[],
  out: readonly KnownEdge[],
  own: ReadonlySet<string>,
): ReadonlySet<string> {
  const found = new Set<string>();
  const open = out.map((edge) => edge.target);
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    if (found.has(id) || own.has(id)) continue;
    found.add(id);
    for (const edge of edges) if (edge.source === id) open.push(edge.target);
  }
  return found;
}
