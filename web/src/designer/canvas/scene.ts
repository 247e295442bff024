/** What a level looks like: cards and wires with their places, and an index of what is where. No React. */

import type { NodeTypeSummary, NodeTypes } from '@/api/nodeTypes';
import { domainOf, typeName } from '@/api/nodeTypes';
import type { Checked, NodeFacts } from '@/editor/store';
import { Grid } from '@/graph/grid';
import type { Color, GraphSpec, Level, NodeSpec, Point } from '@/graph/model';
import { placesAt } from '@/graph/place';
import type { KnownEdge } from '@/graph/read';
import { edgesAt, memo, nodesAt } from '@/graph/read';
import {
  type Box,
  boxOf,
  CARD_WIDTH,
  type Curve,
  cardHeight,
  curve,
  distanceTo,
  pointAt,
  portOffset,
} from '@/graph/shape';

/** A node as it is drawn. */
export interface Card {
  readonly id: string;
  readonly node: NodeSpec;
  readonly box: Box;
  readonly width: number;
  readonly height: number;
  readonly title: string;
  readonly subtitle: string;
  readonly domain: string;
  /** An SVG path on a square of 24. */
  readonly icon: string;
  readonly kind: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** Edges may name any other port. */
  readonly open: boolean;
  readonly installed: boolean;
  readonly header: boolean;
  readonly color: Color | null;
  readonly pinned: boolean;
  readonly errors: number;
  readonly warnings: number;
  /** Nodes in its body. */
  readonly inside: number;
  readonly facts: NodeFacts | undefined;
  readonly type: NodeTypeSummary | undefined;
}

/** An edge as it is drawn. */
export interface Wire {
  /** Its text, which names it. */
  readonly id: string;
  readonly edge: KnownEdge;
  readonly source: Card;
  readonly target: Card;
  readonly sourcePort: string;
  readonly targetPort: string;
  readonly line: Curve;
  readonly box: Box;
  readonly back: boolean;
}

export interface Scene {
  readonly graph: GraphSpec;
  readonly level: Level;
  readonly cards: ReadonlyMap<string, Card>;
  readonly wires: ReadonlyMap<string, Wire>;
  readonly incoming: ReadonlyMap<string, readonly Wire[]>;
  readonly outgoing: ReadonlyMap<string, readonly Wire[]>;
  readonly cardGrid: Grid<string>;
  readonly wireGrid: Grid<string>;
  readonly bounds: Box;
}

const NO_PORTS: readonly string[] = [];
const EMPTY_BOX: Box = { left: 0, top: 0, right: 0, bottom: 0 };

interface Named {
  readonly into: Set<string>;
  readonly out: Set<string>;
  firstIn: boolean;
}

const namedPorts = memo((edges: readonly KnownEdge[]): ReadonlyMap<string, Named> => {
  const found = new Map<string, Named>();
  const of = (id: string): Named => {
    let named = found.get(id);
    if (!named) {
      named = { into: new Set(), out: new Set(), firstIn: false };
      found.set(id, named);
    }
    return named;
  };
  for (const edge of edges) {
    if (edge.sourcePort) of(edge.source).out.add(edge.sourcePort);
    if (edge.targetPort) of(edge.target).into.add(edge.targetPort);
    else of(edge.target).firstIn = true;
  }
  return found;
});

/** The ports of a node: as the server tells, else as its type does, and all that edges name. */
function portsOf(
  node: NodeSpec,
  facts: NodeFacts | undefined,
  type: NodeTypeSummary | undefined,
  named: Named | undefined,
): { inputs: readonly string[]; outputs: readonly string[]; open: boolean } {
  const told = facts?.ports_in ?? type?.ports_in ?? (node.use.startsWith('flow.manual@') ? [] : ['in']);
  const open = told.includes('*') || Boolean(type?.ports_in.includes('*'));
  let inputs = told.filter((port) => port !== '*');
  for (const port of named?.into ?? []) if (!inputs.includes(port)) inputs = [...inputs, port];
  // A merge whose edges all name ports of their own shows those alone.
  const first = inputs[0];
  if (open && inputs.length > 1 && first && !named?.firstIn && !named?.into.has(first)) inputs = inputs.slice(1);
  if (!inputs.length && named?.firstIn) inputs = ['in'];
  let outputs: readonly string[] = facts?.ports_out ?? type?.ports_out ?? NO_PORTS;
  for (const port of named?.out ?? []) if (!outputs.includes(port)) outputs = [...outputs, port];
  if (!outputs.length && !facts && type?.ports_out === null) outputs = ['out'];
  if (!outputs.length && !facts && !type) outputs = ['out'];
  const routed = node.on_error === 'route';
  if (routed && !outputs.includes('error')) outputs = [...outputs, 'error'];
  if (!routed && outputs.includes('error') && !named?.out.has('error')) {
    outputs = outputs.filter((port) => port !== 'error' || Boolean(type?.ports_out?.includes('error')));
  }
  return { inputs, outputs, open };
}

function countsOf(checked: Checked | null): ReadonlyMap<string, { errors: number; warnings: number }> {
  const found = new Map<string, { errors: number; warnings: number }>();
  for (const problem of checked?.problems ?? []) {
    if (!problem.where.node) continue;
    const counts = found.get(problem.where.node) ?? { errors: 0, warnings: 0 };
    if (problem.severity === 'error') counts.errors += 1;
    else counts.warnings += 1;
    found.set(problem.where.node, counts);
  }
  return found;
}

/** Two lists that say the same. */
function alike(one: readonly string[], other: readonly string[]): boolean {
  return one === other || (one.length === other.length && one.every((item, index) => item === other[index]));
}

/** The scene of a level. What has not changed since the scene before is the same object again. */
export function sceneOf(
  graph: GraphSpec,
  level: Level,
  checked: Checked | null,
  types: NodeTypes,
  before: Scene | null,
): Scene {
  const old = before?.level === level ? before : null;
  const places = placesAt(graph, level);
  const edges = edgesAt(graph, level);
  const named = namedPorts(edges);
  const problems = countsOf(checked);
  const cards = new Map<string, Card>();
  let moved = !old;
  for (const node of nodesAt(graph, level)) {
    if (cards.has(node.id)) continue;
    const card = cardOf(node, graph, places.get(node.id) ?? [0, 0], checked, types, named, problems, old);
    if (old && old.cards.get(node.id)?.box !== card.box) moved = true;
    cards.set(node.id, card);
  }
  if (old && old.cards.size !== cards.size) moved = true;

  const wires = new Map<string, Wire>();
  const incoming = new Map<string, Wire[]>();
  const outgoing = new Map<string, Wire[]>();
  let rewired = !old;
  for (const edge of edges) {
    const source = cards.get(edge.source);
    const target = cards.get(edge.target);
    if (!source || !target || wires.has(edge.text)) continue;
    const wire = wireOf(edge, source, target, old?.wires.get(edge.text));
    if (old && old.wires.get(edge.text)?.box !== wire.box) rewired = true;
    wires.set(edge.text, wire);
    push(outgoing, source.id, wire);
    push(incoming, target.id, wire);
  }
  if (old && old.wires.size !== wires.size) rewired = true;

  const cardGrid = old && !moved ? old.cardGrid : new Grid<string>();
  if (moved) for (const card of cards.values()) cardGrid.add(card.box, card.id);
  const wireGrid = old && !rewired ? old.wireGrid : new Grid<string>();
  if (rewired) for (const wire of wires.values()) wireGrid.add(wire.box, wire.id);
  const bounds = old && !moved && old.graph.canvas === graph.canvas ? old.bounds : boundsOf(cards, graph, level);
  return { graph, level, cards, wires, incoming, outgoing, cardGrid, wireGrid, bounds };
}

function cardOf(
  node: NodeSpec,
  graph: GraphSpec,
  at: Point,
  checked: Checked | null,
  types: NodeTypes,
  named: ReadonlyMap<string, Named>,
  problems: ReadonlyMap<string, { errors: number; warnings: number }>,
  before: Scene | null,
): Card {
  const type = types.get(node.use);
  const known = checked?.facts[node.id];
  // Facts of another type of the same id tell nothing of this one.
  const facts = known && (!type || !known.installed || known.title === type.title) ? known : undefined;
  const { inputs, outputs, open } = portsOf(node, facts, type, named.get(node.id));
  const counts = problems.get(node.id);
  const old = before?.cards.get(node.id);
  const height = cardHeight(inputs.length, outputs.length);
  const same = old && old.box.left === at[0] && old.box.top === at[1] && old.height === height;
  const color = graph.canvas?.colors?.[node.id] ?? null;
  const pinned = graph.pins?.[node.id] !== undefined;
  if (
    same &&
    old.node === node &&
    old.type === type &&
    old.color === color &&
    old.pinned === pinned &&
    old.errors === (counts?.errors ?? 0) &&
    old.warnings === (counts?.warnings ?? 0) &&
    old.header === Boolean(facts?.loop_header) &&
    Boolean(old.facts) === Boolean(facts) &&
    alike(old.inputs, inputs) &&
    alike(old.outputs, outputs) &&
    alike(old.facts?.back_edges ?? NO_PORTS, facts?.back_edges ?? NO_PORTS)
  ) {
    return old;
  }
  const box = same ? old.box : { left: at[0], top: at[1], right: at[0] + CARD_WIDTH, bottom: at[1] + height };
  return {
    id: node.id,
    node,
    box,
    width: CARD_WIDTH,
    height,
    title: node.name || (node.id === slugOf(type) ? (type?.title ?? node.id) : node.id),
    subtitle: type?.title && node.name !== type.title ? type.title : typeName(node.use),
    domain: domainOf(node.use),
    icon: type?.icon_svg ?? '',
    kind: facts?.kind ?? type?.kind ?? 'action',
    inputs,
    outputs,
    open,
    installed: facts ? facts.installed : types.size === 0 || Boolean(type),
    header: Boolean(facts?.loop_header),
    color,
    pinned,
    errors: counts?.errors ?? 0,
    warnings: counts?.warnings ?? 0,
    inside: node.body?.nodes?.length ?? 0,
    facts,
    type,
  };
}

function slugOf(type: NodeTypeSummary | undefined): string | undefined {
  return type?.name.split('.').at(-1);
}

/** Where a port is on its card; a port that is not known is the first. */
function portPoint(card: Card, side: 'in' | 'out', port: string): Point {
  const ports = side === 'in' ? card.inputs : card.outputs;
  const index = Math.max(0, ports.indexOf(port));
  return [
    side === 'in' ? card.box.left : card.box.right,
    card.box.top + portOffset(index, Math.max(ports.length, 1), card.height),
  ];
}

function wireOf(edge: KnownEdge, source: Card, target: Card, old: Wire | undefined): Wire {
  const back =
    source.box.left >= target.box.left &&
    (Boolean(target.facts?.back_edges.includes(edge.text)) || target.header || target.kind === 'loop');
  if (old?.source === source && old.target === target && old.edge.text === edge.text && old.back === back) return old;
  const sourcePort = edge.sourcePort ?? source.outputs[0] ?? 'out';
  const targetPort = edge.targetPort ?? target.inputs[0] ?? 'in';
  const from = portPoint(source, 'out', sourcePort);
  const to = portPoint(target, 'in', targetPort);
  const same =
    old &&
    old.line.from[0] === from[0] &&
    old.line.from[1] === from[1] &&
    old.line.to[0] === to[0] &&
    old.line.to[1] === to[1];
  const line = same ? old.line : curve(from, to);
  return { id: edge.text, edge, source, target, sourcePort, targetPort, line, box: same ? old.box : boxOf(line), back };
}

function push(map: Map<string, Wire[]>, key: string, wire: Wire): void {
  const all = map.get(key);
  if (all) all.push(wire);
  else map.set(key, [wire]);
}

function boundsOf(cards: ReadonlyMap<string, Card>, graph: GraphSpec, level: Level): Box {
  let [left, top, right, bottom] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, -Infinity, -Infinity];
  const take = (box: Box): void => {
    left = Math.min(left, box.left);
    top = Math.min(top, box.top);
    right = Math.max(right, box.right);
    bottom = Math.max(bottom, box.bottom);
  };
  for (const card of cards.values()) take(card.box);
  if (level === null) {
    for (const one of [...Object.values(graph.canvas?.notes ?? {}), ...Object.values(graph.canvas?.frames ?? {})]) {
      take({ left: one.at[0], top: one.at[1], right: one.at[0] + one.size[0], bottom: one.at[1] + one.size[1] });
    }
  }
  return left > right ? EMPTY_BOX : { left, top, right, bottom };
}

/** The card at a point, of several the last in the file. */
export function cardAt(scene: Scene, [x, y]: Point): Card | null {
  const found = scene.cardGrid.in({ left: x, top: y, right: x, bottom: y });
  const id = found.at(-1);
  return id === undefined ? null : (scene.cards.get(id) ?? null);
}

/** Wires that are less apart than this lie on each other. */
const ON_EACH_OTHER = 3;

/**
 * The wire nearest to a point, within a distance. Of several that lie on each other it is the one that was meant
 * before, else the shortest: the longer ones can be reached elsewhere.
 */
export function wireAt(scene: Scene, at: Point, within: number, before: string | null = null): Wire | null {
  const [x, y] = at;
  const near: { wire: Wire; distance: number }[] = [];
  for (const id of scene.wireGrid.in({ left: x - within, top: y - within, right: x + within, bottom: y + within })) {
    const wire = scene.wires.get(id);
    const distance = wire ? distanceTo(wire.line, at) : Number.POSITIVE_INFINITY;
    if (wire && distance <= within) near.push({ wire, distance });
  }
  const nearest = Math.min(...near.map((one) => one.distance));
  const length = ({ line }: Wire) => Math.hypot(line.to[0] - line.from[0], line.to[1] - line.from[1]);
  const first = near
    .filter((one) => one.distance <= nearest + ON_EACH_OTHER)
    .sort(
      (one, other) =>
        Number(other.wire.id === before) - Number(one.wire.id === before) || length(one.wire) - length(other.wire),
    )[0];
  return first?.wire ?? null;
}

/** Parts of a wire's way where its tools may be, the middle first. */
const TOOL_PARTS = [0.5, 0.4, 0.6, 0.3, 0.7, 0.2, 0.8, 0.12, 0.88];
/** Room that a wire's tools take to each side. */
const TOOLS: Point = [34, 18];

/** Where a wire's tools are: in its middle where no card lies and the pointer is near, else free and near to that. */
export function toolsAt(scene: Scene, wire: Wire, pointer: Point | null, reach: number): Point {
  const free = TOOL_PARTS.map((part) => pointAt(wire.line, part)).filter(
    ([x, y]) =>
      !cardsIn(scene, { left: x - TOOLS[0], top: y - TOOLS[1], right: x + TOOLS[0], bottom: y + TOOLS[1] }).length,
  );
  const away = ([x, y]: Point) => (pointer ? Math.hypot(x - pointer[0], y - pointer[1]) : 0);
  const middle = free[0];
  if (middle && away(middle) <= reach) return middle;
  const best = free.sort((one, other) => away(one) - away(other))[0];
  return best ?? pointer ?? pointAt(wire.line, 0.5);
}

/** The cards that touch a box. */
export function cardsIn(scene: Scene, box: Box): Card[] {
  return scene.cardGrid.in(box).flatMap((id) => scene.cards.get(id) ?? []);
}
