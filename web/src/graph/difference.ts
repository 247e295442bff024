/** What two versions of a graph differ in, as one graph that shows both: for a canvas with marks. */

import { withBody } from './change';
import type { GraphSpec, Level, NodeSpec } from './model';
import { edgesAt, nodesAt, placesOf } from './read';

export type NodeMark = 'added' | 'removed' | 'changed' | 'moved';
type EdgeMark = 'added' | 'removed';

export interface Difference {
  /** The newer graph, with what the older one had beside it. */
  readonly both: GraphSpec;
  /** By node id; one that only stands elsewhere on the canvas is `moved`. */
  readonly nodes: ReadonlyMap<string, NodeMark>;
  /** By the edge's text, level by level: `null` is the graph itself. */
  readonly edges: ReadonlyMap<Level, ReadonlyMap<string, EdgeMark>>;
}

/** The difference from an older version to a newer one. */
export function difference(old: GraphSpec, fresh: GraphSpec): Difference {
  const before = placesOf(old);
  const after = placesOf(fresh);
  const nodes = new Map<string, NodeMark>();
  for (const [id, place] of after) {
    const was = before.get(id);
    if (!was) nodes.set(id, 'added');
    else if (!sameNode(was.node, place.node) || was.level !== place.level) nodes.set(id, 'changed');
    else if (!same(old.layout?.[id], fresh.layout?.[id])) nodes.set(id, 'moved');
  }
  for (const id of before.keys()) if (!after.has(id)) nodes.set(id, 'removed');

  const levels: readonly Level[] = [null, ...withBodies(before.values()), ...withBodies(after.values())];
  const edges = new Map<Level, ReadonlyMap<string, EdgeMark>>();
  let both = fresh;
  for (const level of new Set(levels)) {
    const marks = new Map<string, EdgeMark>();
    const had = edgesAt(old, level).map((edge) => edge.text);
    const has = edgesAt(fresh, level).map((edge) => edge.text);
    for (const text of has) if (!had.includes(text)) marks.set(text, 'added');
    const gone = had.filter((text) => !has.includes(text));
    for (const text of gone) marks.set(text, 'removed');
    if (marks.size) edges.set(level, marks);
    const lost = nodesAt(old, level).filter((node) => !after.has(node.id));
    if (lost.length || gone.length) {
      both = withBody(both, level, (body) => ({
        ...body,
        nodes: [...(body.nodes ?? []), ...lost],
        edges: [...(body.edges ?? []), ...gone],
      }));
    }
  }
  const layout = { ...old.layout, ...fresh.layout };
  return { both: Object.keys(layout).length ? { ...both, layout } : both, nodes, edges };
}

function* withBodies(places: Iterable<{ readonly node: NodeSpec }>): Generator<string> {
  for (const { node } of places) if (node.body) yield node.id;
}

/** Whether a node says the same; what its body holds is told by the nodes there. */
function sameNode(one: NodeSpec, other: NodeSpec): boolean {
  const { body: _, ...left } = one;
  const { body: __, ...right } = other;
  return same(left, right);
}

/** Whether two JSON values are equal, whatever the order of keys. */
export function same(one: unknown, other: unknown): boolean {
  if (one === other) return true;
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null) return false;
  if (Array.isArray(one) !== Array.isArray(other)) return false;
  const [left, right] = [one as Record<string, unknown>, other as Record<string, unknown>];
  const keys = Object.keys(left);
  return keys.length === Object.keys(right).length && keys.every((key) => key in right && same(left[key], right[key]));
}
