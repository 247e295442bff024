/** From the scene to what React Flow takes: nodes and edges in view, with their sizes, so that it measures nothing. */

import type { Edge, Node, NodeHandle } from '@xyflow/react';
import { Position } from '@xyflow/react';
import { boxOfPlace, stacked } from '@/graph/frames';
import type { Frame, GraphSpec, Level, Point, StickyNote } from '@/graph/model';
import { type Box, overlaps, portOffset } from '@/graph/shape';
import type { Drag } from './context';
import type { Card, Wire } from './scene';

export type CardNode = Node<{ card: Card }, 'card'>;
export type NoteNode = Node<{ id: string; note: StickyNote }, 'note'>;
export type FrameNode = Node<{ id: string; frame: Frame }, 'frame'>;
export type FlowNode = CardNode | NoteNode | FrameNode;
export type WireEdge = Edge<{ wire: Wire }, 'wire'>;

interface Kept {
  plain?: CardNode;
  chosen?: CardNode;
}

/** React Flow leaves the pointer to elements that it drags or selects itself; here the canvas does that. */
const TOUCHABLE = { pointerEvents: 'all' } as const;

const kept = new WeakMap<Card, Kept>();

function handlesOf(card: Card): NodeHandle[] {
  const handle = (type: 'source' | 'target', id: string, index: number, count: number): NodeHandle => ({
    id,
    type,
    position: type === 'source' ? Position.Right : Position.Left,
    x: type === 'source' ? card.width : 0,
    y: portOffset(index, count, card.height),
    width: 1,
    height: 1,
  });
  return [
    ...card.inputs.map((id, index) => handle('target', id, index, card.inputs.length)),
    ...card.outputs.map((id, index) => handle('source', id, index, card.outputs.length)),
  ];
}

function cardNode(card: Card, chosen: boolean): CardNode {
  let known = kept.get(card);
  if (!known) {
    known = {};
    kept.set(card, known);
  }
  const key = chosen ? 'chosen' : 'plain';
  known[key] ??= {
    id: card.id,
    type: 'card',
    position: { x: card.box.left, y: card.box.top },
    data: { card },
    width: card.width,
    height: card.height,
    measured: { width: card.width, height: card.height },
    handles: handlesOf(card),
    selected: chosen,
    zIndex: 1,
    style: TOUCHABLE,
  };
  return known[key];
}

/** The cards in view as nodes; those that are dragged are where the pointer has them. */
export function cardNodes(cards: readonly Card[], selected: ReadonlySet<string>, drag: Drag | null): CardNode[] {
  return cards.map((card) => {
    const node = cardNode(card, selected.has(card.id));
    return drag?.nodes.has(card.id) ? { ...node, position: shifted(node.position, drag.shift), zIndex: 2 } : node;
  });
}

/** Wires between cards in view as edges. */
export function wireEdges(wires: readonly Wire[], selected: ReadonlySet<string>): WireEdge[] {
  return wires.map((wire) => {
    const chosen = selected.has(wire.id);
    let known = keptEdges.get(wire);
    if (!known || known.selected !== chosen) {
      known = {
        id: wire.id,
        type: 'wire',
        source: wire.source.id,
        target: wire.target.id,
        sourceHandle: wire.sourcePort,
        targetHandle: wire.targetPort,
        data: { wire },
        selected: chosen,
        // The ends of the chosen one can be taken where others lie on it.
        zIndex: chosen ? 1 : 0,
      };
      keptEdges.set(wire, known);
    }
    return known;
  });
}
const keptEdges = new WeakMap<Wire, WireEdge>();

/** Notes and frames of a level as nodes; only the graph itself has some. */
export function decorationNodes(
  graph: GraphSpec,
  level: Level,
  selected: { readonly notes: ReadonlySet<string>; readonly frames: ReadonlySet<string> },
  drag: Drag | null,
  within: Box,
): FlowNode[] {
  if (level !== null) return [];
  const made: FlowNode[] = [];
  for (const [id, frame] of stacked(graph.canvas)) {
    if (!overlaps(boxOfPlace(frame), within)) continue;
    made.push({
      id: `frame:${id}`,
      type: 'frame',
      position: shifted(pointOf(frame.at), drag?.frames.has(id) ? drag.shift : [0, 0]),
      data: { id, frame },
      ...sized(frame.size),
      selected: selected.frames.has(id),
      zIndex: -2,
    });
  }
  for (const [id, note] of Object.entries(graph.canvas?.notes ?? {})) {
    if (!overlaps(boxOfPlace(note), within)) continue;
    made.push({
      id: `note:${id}`,
      type: 'note',
      position: shifted(pointOf(note.at), drag?.notes.has(id) ? drag.shift : [0, 0]),
      data: { id, note },
      ...sized(note.size),
      selected: selected.notes.has(id),
      style: TOUCHABLE,
      zIndex: -1,
    });
  }
  return made;
}

function sized([width, height]: Point) {
  return { width, height, measured: { width, height } };
}

function pointOf([x, y]: Point): { x: number; y: number } {
  return { x, y };
}

function shifted(at: { x: number; y: number }, [x, y]: Point): { x: number; y: number } {
  return x || y ? { x: at.x + x, y: at.y + y } : at;
}
