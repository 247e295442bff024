/** Places of nodes by ELK's layered layout, left to right; loaded only when it is asked for. */

import type { ELK, ElkNode } from 'elkjs/lib/elk-api';
import {
  type Arrangement,
  allIn,
  around,
  boxOfPlace,
  FRAME_ROOM,
  grown,
  type Nest,
  nested,
  wholeFrames,
} from './frames';
import type { Canvas, Point, Size } from './model';
import { rounded } from './nodes';
import { type Box, portNames, portOffset } from './shape';

interface Card {
  readonly id: string;
  readonly box: Box;
  readonly width: number;
  readonly height: number;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
}

/** What is to be placed. */
interface Drawing {
  readonly cards: ReadonlyMap<string, Card>;
  readonly wires: ReadonlyMap<
    string,
    {
      readonly id: string;
      readonly source: Card;
      readonly target: Card;
      readonly sourcePort: string;
      readonly targetPort: string;
    }
  >;
}

/** How far a note may be from its node after it. */
const NEAR = 40;
const LAYERS = {
  'elk.algorithm': 'layered',
  'elk.direction': 'RIGHT',
  'elk.layered.spacing.nodeNodeBetweenLayers': '90',
  'elk.spacing.nodeNode': '48',
  'elk.spacing.edgeNode': '28',
  'elk.layered.crossingMinimization.semiInteractive': 'true',
  'elk.layered.nodePlacement.strategy': 'BRANDES_KOEPF',
  'elk.layered.nodePlacement.bk.fixedAlignment': 'BALANCED',
  'elk.separateConnectedComponents': 'true',
};
const { top, left, bottom, right } = FRAME_ROOM;
const FRAMED = { ...LAYERS, 'elk.padding': `[top=${top},left=${left},bottom=${bottom},right=${right}]` };

/**
 * Good places for cards: for these, else for all. They stay about where they were.
 *
 * What a frame holds stays together in it; a note in a frame goes with the node that it is nearest to.
 */
export async function arranged(
  drawing: Drawing,
  only?: ReadonlySet<string>,
  canvas?: Canvas,
  elk: () => Promise<ELK> = inWorker,
): Promise<Arrangement> {
  const chosen = (id: string) => !only || only.has(id);
  const cards = [...drawing.cards.values()].filter((card) => chosen(card.id));
  if (!cards.length) return { nodes: new Map(), notes: new Map(), frames: new Map() };
  const shown = new Set(cards.map((card) => card.id));
  const nest = nested(canvas, drawing.cards.values());
  const whole = wholeFrames(nest, chosen);
  const framed = allIn(nest, whole);
  const groups = new Map<string, Group>();
  const graph: ElkNode = {
    id: '#',
    layoutOptions: { ...LAYERS, ...(whole.length && { 'elk.hierarchyHandling': 'INCLUDE_CHILDREN' }) },
    children: [
      ...cards.filter((card) => !framed.nodes.has(card.id)).map((card) => leaf(card, [], groups)),
      ...whole.map((id) => frameNode(id, nest, drawing, canvas, groups)),
    ],
    edges: [...drawing.wires.values()]
      .filter((wire) => shown.has(wire.source.id) && shown.has(wire.target.id))
      .map((wire) => ({
        id: wire.id,
        sources: [
          wire.source.outputs.includes(wire.sourcePort) ? `${wire.source.id} > ${wire.sourcePort}` : wire.source.id,
        ],
        targets: [
          wire.target.inputs.includes(wire.targetPort) ? `${wire.target.id} < ${wire.targetPort}` : wire.target.id,
        ],
      })),
  };
  const engine = await elk();
  const result = await engine.layout(graph).finally(() => engine.terminateWorker());
  const children = result.children ?? [];
  const origin = around(children.map(elkBox));
  const before = around([
    ...cards.filter((card) => !framed.nodes.has(card.id)).map((card) => card.box),
    ...whole.flatMap((id) => (canvas?.frames?.[id] ? [boxOfPlace(canvas.frames[id])] : [])),
  ]);
  const found = { nodes: new Map<string, Point>(), notes: new Map<string, Point>(), frames: new Map<string, Placed>() };
  const take = (children: readonly ElkNode[], x: number, y: number): void => {
    for (const child of children) {
      const at = rounded([x + (child.x ?? 0), y + (child.y ?? 0)]);
      const group = groups.get(child.id);
      for (const [node, [dx, dy]] of group?.nodes ?? []) found.nodes.set(node, [at[0] + dx, at[1] + dy]);
      for (const [note, [dx, dy]] of group?.notes ?? []) found.notes.set(note, [at[0] + dx, at[1] + dy]);
      if (group?.frame) found.frames.set(group.frame, { at, size: rounded([child.width ?? 0, child.height ?? 0]) });
      take(child.children ?? [], at[0], at[1]);
    }
  };
  take(children, (only ? before.left : 0) - origin.left, (only ? before.top : 0) - origin.top);
  const moved = new Map(
    cards.map((card) => {
      const [x, y] = found.nodes.get(card.id) ?? [card.box.left, card.box.top];
      return [card.id, { left: x, top: y, right: x + card.width, bottom: y + card.height }];
    }),
  );
  return { ...found, frames: grown(canvas, nest, moved, found.frames) };
}

type Placed = { readonly at: Point; readonly size: Size };

/** What one box of the layout stands for: a node with the notes that go with it, or a frame, a note. */
interface Group {
  readonly nodes?: readonly (readonly [id: string, shift: Point])[];
  readonly notes?: readonly (readonly [id: string, shift: Point])[];
  readonly frame?: string;
}

/** A frame with all that is in it. */
function frameNode(
  id: string,
  nest: Nest,
  drawing: Drawing,
  canvas: Canvas | undefined,
  groups: Map<string, Group>,
): ElkNode {
  const held = nest.frames.get(id);
  const cards = (held?.nodes ?? []).flatMap((node) => drawing.cards.get(node) ?? []);
  const notes = new Map<string | null, (readonly [string, Box])[]>();
  for (const note of held?.notes ?? []) {
    const place = canvas?.notes?.[note];
    if (!place) continue;
    const box = boxOfPlace(place);
    const nearest = [...cards].sort((one, other) => apart(one.box, box) - apart(other.box, box))[0];
    const key = nearest?.id ?? null;
    notes.set(key, [...(notes.get(key) ?? []), [note, nearest ? near(nearest.box, box) : box]]);
  }
  const inner = held?.frames ?? [];
  const key = `frame ${id}`;
  groups.set(key, { frame: id });
  const children = [
    ...cards.map((card) => leaf(card, notes.get(card.id) ?? [], groups)),
    ...(notes.get(null) ?? []).map(([note, box]) => {
      groups.set(`note ${note}`, { notes: [[note, [0, 0]]] });
      return { id: `note ${note}`, ...sizeOf(box) };
    }),
    ...inner.map((one) => frameNode(one, nest, drawing, canvas, groups)),
  ];
  const place = canvas?.frames?.[id];
  // An empty one stays as large as it is.
  return {
    id: key,
    ...(!children.length && place && sizeOf(boxOfPlace(place))),
    layoutOptions: FRAMED,
    children,
  };
}

/** A card with its ports, and the notes beside it. */
function leaf(card: Card, notes: readonly (readonly [string, Box])[], groups: Map<string, Group>): ElkNode {
  // The names of its outputs stand to the right of a card.
  const width = card.width + portNames(card.outputs);
  const { left: x, top: y } = card.box;
  const box = around([
    { left: x, top: y, right: x + width, bottom: y + card.height },
    ...notes.map(([, note]) => note),
  ]);
  const [dx, dy] = [x - box.left, y - box.top];
  groups.set(card.id, {
    nodes: [[card.id, [dx, dy]]],
    notes: notes.map(([id, note]) => [id, [note.left - box.left, note.top - box.top]]),
  });
  return {
    id: card.id,
    ...sizeOf(box),
    layoutOptions: { 'elk.portConstraints': 'FIXED_POS' },
    ports: [
      ...card.inputs.map((port, index) => ({
        id: `${card.id} < ${port}`,
        x: 0,
        y: dy + portOffset(index, card.inputs.length, card.height),
        width: 0,
        height: 0,
        layoutOptions: { 'elk.port.side': 'WEST' },
      })),
      ...card.outputs.map((port, index) => ({
        id: `${card.id} > ${port}`,
        x: box.right - box.left,
        y: dy + portOffset(index, card.outputs.length, card.height),
        width: 0,
        height: 0,
        layoutOptions: { 'elk.port.side': 'EAST' },
      })),
    ],
  };
}

function sizeOf(box: Box): { width: number; height: number } {
  return { width: box.right - box.left, height: box.bottom - box.top };
}

function elkBox({ x = 0, y = 0, width = 0, height = 0 }: ElkNode): Box {
  return { left: x, top: y, right: x + width, bottom: y + height };
}

/** How far a box is to the right of (positive) or left of another one, and below or above it; 0 beside it. */
function gaps(from: Box, to: Box): Point {
  const gap = (end: number, start: number, begin: number, stop: number) =>
    start > end ? start - end : stop < begin ? stop - begin : 0;
  return [gap(from.right, to.left, from.left, to.right), gap(from.bottom, to.top, from.top, to.bottom)];
}

function apart(one: Box, other: Box): number {
  return Math.hypot(...gaps(one, other));
}

/** A note's box as near to a card as it is to be. */
function near(card: Box, note: Box): Box {
  const [dx, dy] = gaps(card, note).map((gap) => -Math.sign(gap) * Math.max(0, Math.abs(gap) - NEAR)) as [
    number,
    number,
  ];
  return { left: note.left + dx, top: note.top + dy, right: note.right + dx, bottom: note.bottom + dy };
}

/** Layouts of thousands of nodes take seconds: beside the page, which goes on. */
async function inWorker(): Promise<ELK> {
  const [{ default: Elk }, { default: workerUrl }] = await Promise.all([
    import('elkjs/lib/elk-api.js'),
    import('elkjs/lib/elk-worker.min.js?url'),
  ]);
  return new Elk({ workerUrl });
}
