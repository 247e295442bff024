/** Where nodes are: as the file says, and for those that it says nothing of, in columns after what leads to them. */

import type { Edit, GraphSpec, Level, Point } from './model';
import { moveNodes } from './nodes';
import { edgesAt, memo, nodesAt } from './read';
import { type Box, CARD_HEIGHT, CARD_WIDTH } from './shape';

const COLUMN = 260;
const ROW = 100;

const kept = memo((_: GraphSpec) => new Map<Level, ReadonlyMap<string, Point>>());

/** The place of every node of a level. */
export function placesAt(graph: GraphSpec, level: Level): ReadonlyMap<string, Point> {
  const levels = kept(graph);
  let places = levels.get(level);
  if (!places) {
    places = placed(graph, level);
    levels.set(level, places);
  }
  return places;
}

function placed(graph: GraphSpec, level: Level): ReadonlyMap<string, Point> {
  const layout = graph.layout ?? {};
  const nodes = nodesAt(graph, level);
  const places = new Map<string, Point>();
  const loose: string[] = [];
  for (const node of nodes) {
    const at = layout[node.id];
    if (at) places.set(node.id, at);
    else loose.push(node.id);
  }
  if (!loose.length) return places;
  const columns = columnsOf(graph, level);
  const wanted = new Set(loose);
  let below = 0;
  for (const [, y] of places.values()) below = Math.max(below, y + ROW);
  const base = places.size ? below + ROW / 2 : 0;
  const heights = new Map<number, number>();
  for (const node of nodes) {
    if (!wanted.has(node.id)) continue;
    const column = columns.get(node.id) ?? 0;
    const row = heights.get(column) ?? 0;
    heights.set(column, row + 1);
    places.set(node.id, [column * COLUMN, base + row * ROW]);
  }
  return places;
}

/** The column of each node: one after the furthest of what leads to it; edges that close a cycle do not count. */
export function columnsOf(graph: GraphSpec, level: Level): ReadonlyMap<string, number> {
  const following = new Map<string, string[]>();
  for (const { source, target } of edgesAt(graph, level)) {
    const all = following.get(source);
    if (all) all.push(target);
    else following.set(source, [target]);
  }
  // Depth first without recursion: a chain may be thousands of nodes long.
  const state = new Map<string, 'open' | 'done'>();
  const back = new Set<string>();
  const order: string[] = [];
  for (const { id } of nodesAt(graph, level)) {
    if (state.has(id)) continue;
    const path: { id: string; next: number }[] = [{ id, next: 0 }];
    state.set(id, 'open');
    for (let at = path.at(-1); at; at = path.at(-1)) {
      const target = following.get(at.id)?.[at.next++];
      if (target === undefined) {
        state.set(at.id, 'done');
        order.push(at.id);
        path.pop();
      } else if (state.get(target) === 'open') {
        back.add(`${at.id} ${target}`);
      } else if (!state.has(target)) {
        state.set(target, 'open');
        path.push({ id: target, next: 0 });
      }
    }
  }
  const columns = new Map<string, number>();
  for (const id of order.reverse()) {
    const column = columns.get(id) ?? 0;
    columns.set(id, column);
    for (const target of following.get(id) ?? []) {
      if (!back.has(`${id} ${target}`)) columns.set(target, Math.max(columns.get(target) ?? 0, column + 1));
    }
  }
  return columns;
}

export type Side = 'left' | 'center' | 'right' | 'top' | 'middle' | 'bottom';

/** Put nodes on one line: their sides, or their middles. */
export function align(boxes: ReadonlyMap<string, Box>, side: Side): Edit {
  const all = [...boxes.values()];
  const [left, right] = [Math.min(...all.map((box) => box.left)), Math.max(...all.map((box) => box.right))];
  const [top, bottom] = [Math.min(...all.map((box) => box.top)), Math.max(...all.map((box) => box.bottom))];
  const place = ({ left: x, top: y, right: x2, bottom: y2 }: Box): Point => {
    if (side === 'left') return [left, y];
    if (side === 'right') return [right - (x2 - x), y];
    if (side === 'center') return [(left + right - (x2 - x)) / 2, y];
    if (side === 'top') return [x, top];
    if (side === 'bottom') return [x, bottom - (y2 - y)];
    return [x, (top + bottom - (y2 - y)) / 2];
  };
  return moveNodes(new Map([...boxes].map(([id, box]) => [id, place(box)])));
}

/** Put the same room between nodes; the outermost ones stay. */
export function distribute(boxes: ReadonlyMap<string, Box>, axis: 'across' | 'down'): Edit {
  const start = (box: Box) => (axis === 'across' ? box.left : box.top);
  const end = (box: Box) => (axis === 'across' ? box.right : box.bottom);
  const sorted = [...boxes].sort(([, one], [, other]) => start(one) - start(other));
  const [first, last] = [sorted[0], sorted.at(-1)];
  if (sorted.length < 3 || !first || !last) return (graph) => graph;
  const filled = sorted.reduce((sum, [, box]) => sum + end(box) - start(box), 0);
  const gap = (end(last[1]) - start(first[1]) - filled) / (sorted.length - 1);
  let at = start(first[1]);
  const places = new Map<string, Point>();
  for (const [id, box] of sorted) {
    places.set(id, axis === 'across' ? [at, box.top] : [box.left, at]);
    at += end(box) - start(box) + gap;
  }
  return moveNodes(places);
}

/** A place near a wanted one where a card covers no other. */
export function freePlace(places: Iterable<Point>, wanted: Point): Point {
  const taken = [...places];
  let [x, y] = wanted;
  const covered = () =>
    taken.some(([left, top]) => Math.abs(left - x) < CARD_WIDTH + 16 && Math.abs(top - y) < CARD_HEIGHT + 16);
  while (covered()) y += CARD_HEIGHT + 32;
  return [x, y];
}
