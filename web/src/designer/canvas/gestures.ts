/** The left mouse button on the canvas: choose, drag, draw a box; the same where nodes are elements and where they are pixels. */

import type { MouseEvent as ReactMouseEvent, PointerEvent as ReactPointerEvent } from 'react';
import { apply, graphOf, NOTHING, type Selection, select } from '@/editor/store';
import { placeDecoration } from '@/graph/decorate';
import { boxOfPlace, isIn } from '@/graph/frames';
import type { Edit, Point } from '@/graph/model';
import { moveNodes } from '@/graph/nodes';
import { fill, words } from '@/text/language';
import { type CanvasShared, type Drag, hoverWire } from './context';
import { cardAt, cardsIn, wireAt } from './scene';

/** What is under the pointer. */
export type Hit =
  | { readonly kind: 'node' | 'note' | 'frame' | 'wire'; readonly id: string }
  | { readonly kind: 'empty' };

export interface Place {
  readonly toGraph: (x: number, y: number) => Point;
  readonly zoom: () => number;
  /** Move the view by screen pixels. */
  readonly pan: (x: number, y: number) => void;
  readonly bounds: () => DOMRect;
}

const GRID = 10;
const SLACK = 4;
const EDGE = 36;
/** How wide the strip along a wire is that takes the pointer. */
export const WIRE_WIDTH = 18;

/** What is under a point of the screen. */
export function hitAt(shared: CanvasShared, place: Place, target: Element | null, x: number, y: number): Hit {
  const named = (attribute: string) => target?.closest(`[${attribute}]`)?.getAttribute(attribute);
  const card = named('data-card');
  if (card) return { kind: 'node', id: card };
  const note = named('data-note');
  if (note) return { kind: 'note', id: note };
  const frame = named('data-frame');
  if (frame) return { kind: 'frame', id: frame };
  const at = place.toGraph(x, y);
  const scene = shared.scene();
  // Of wires that lie on each other the element is only the one that was drawn last.
  const wire = named('data-wire');
  if (wire) return { kind: 'wire', id: wireUnder(shared, place, x, y) ?? wire };
  const drawn = cardAt(scene, at);
  if (drawn) return { kind: 'node', id: drawn.id };
  const near = wireAt(scene, at, 6 / place.zoom());
  if (near) return { kind: 'wire', id: near.id };
  return { kind: 'empty' };
}

/** The wire at a point of the screen where one is known to be; the one whose tools are shown stays it. */
export function wireUnder(shared: CanvasShared, place: Place, x: number, y: number): string | null {
  const { hovered } = shared.store.getState();
  return wireAt(shared.scene(), place.toGraph(x, y), WIRE_WIDTH / 2 + 3 / place.zoom(), hovered)?.id ?? null;
}

/** What a selection is with a hit chosen. */
function chosenWith(selection: Selection, hit: Hit, add: boolean): Selection {
  const base = add ? selection : NOTHING;
  const toggled = (set: ReadonlySet<string>, id: string) => {
    const next = new Set(set);
    if (!next.delete(id)) next.add(id);
    return next;
  };
  if (hit.kind === 'node') return { ...base, nodes: toggled(base.nodes, hit.id) };
  if (hit.kind === 'wire') return { ...base, edges: toggled(base.edges, hit.id) };
  if (hit.kind === 'note') return { ...base, notes: toggled(base.notes, hit.id) };
  if (hit.kind === 'frame') return { ...base, frames: toggled(base.frames, hit.id) };
  return base;
}

function isChosen(selection: Selection, hit: Hit): boolean {
  if (hit.kind === 'node') return selection.nodes.has(hit.id);
  if (hit.kind === 'wire') return selection.edges.has(hit.id);
  if (hit.kind === 'note') return selection.notes.has(hit.id);
  return hit.kind === 'frame' && selection.frames.has(hit.id);
}

/** Take a press of the left button; true where it is one of these gestures. */
export function pressed(shared: CanvasShared, place: Place, event: ReactPointerEvent, held: boolean): boolean {
  const target = event.target instanceof Element ? event.target : null;
  if (event.button !== 0 || held || event.pointerType === 'touch') return false;
  if (
    target?.closest(
      'button, input, textarea, a, [data-tools], [data-overlay], .react-flow__handle, .react-flow__resize-control',
    )
  ) {
    return false;
  }
  const hit = hitAt(shared, place, target, event.clientX, event.clientY);
  const add = event.shiftKey || event.ctrlKey || event.metaKey;
  const before = shared.editor.getState().selection;
  const already = isChosen(before, hit);
  if (hit.kind !== 'empty' && (!already || add)) {
    select(shared.editor, chosenWith(before, hit, add));
    if (hit.kind === 'node') shared.store.setState({ cursor: hit.id });
  }
  // The end of a wire is drawn elsewhere by React Flow.
  if (target?.closest('.react-flow__edgeupdater')) return false;
  if (hit.kind === 'empty' || hit.kind === 'wire') boxing(shared, place, event, hit, add);
  else if (!shared.readOnly)
    dragging(shared, place, event, () => !add && already && select(shared.editor, chosenWith(before, hit, false)));
  return true;
}

/** Take a tap of a finger, which otherwise pans: it chooses, and a second one on the same node opens it. */
export function tapped(shared: CanvasShared, place: Place, event: ReactMouseEvent): void {
  const target = event.target instanceof Element ? event.target : null;
  if (target?.closest('button, input, textarea, a')) return;
  const hit = hitAt(shared, place, target, event.clientX, event.clientY);
  const before = shared.editor.getState().selection;
  hoverWire(shared.store, hit.kind === 'wire' ? hit.id : null, place.toGraph(event.clientX, event.clientY));
  if (hit.kind === 'node' && before.nodes.has(hit.id)) shared.onOpen(hit.id);
  else select(shared.editor, chosenWith(before, hit, false));
}

/** Follow the pointer until it is let go: frames of it, not events, so that a fast mouse costs no more. */
function follow(
  event: ReactPointerEvent,
  place: Place,
  move: (x: number, y: number, event: PointerEvent) => void,
  end: (moved: boolean) => void,
): void {
  const [x0, y0] = [event.clientX, event.clientY];
  let last: PointerEvent | null = null;
  let frame = 0;
  let moved = false;
  const step = () => {
    frame = 0;
    if (!last) return;
    const bounds = place.bounds();
    const push = (at: number, low: number, high: number) =>
      at < low + EDGE
        ? Math.min(EDGE, low + EDGE - at) / 3
        : at > high - EDGE
          ? -Math.min(EDGE, at - high + EDGE) / 3
          : 0;
    const [dx, dy] = [push(last.clientX, bounds.left, bounds.right), push(last.clientY, bounds.top, bounds.bottom)];
    if (dx || dy) {
      place.pan(dx, dy);
      frame = requestAnimationFrame(step);
    }
    move(last.clientX, last.clientY, last);
  };
  const onMove = (now: PointerEvent) => {
    if (now.pointerId !== event.pointerId) return;
    if (!moved && Math.hypot(now.clientX - x0, now.clientY - y0) < SLACK) return;
    moved = true;
    last = now;
    if (!frame) frame = requestAnimationFrame(step);
  };
  const stop = (now: Event) => {
    if (now instanceof PointerEvent && now.pointerId !== event.pointerId) return;
    cancelAnimationFrame(frame);
    if (last && now.type === 'pointerup') move(last.clientX, last.clientY, last);
    window.removeEventListener('pointermove', onMove);
    window.removeEventListener('pointerup', stop);
    window.removeEventListener('pointercancel', stop);
    window.removeEventListener('blur', stop);
    end(moved);
  };
  window.addEventListener('pointermove', onMove);
  window.addEventListener('pointerup', stop);
  window.addEventListener('pointercancel', stop);
  window.addEventListener('blur', stop);
}

function dragging(shared: CanvasShared, place: Place, event: ReactPointerEvent, clicked: () => void): void {
  const { editor, store } = shared;
  const from = place.toGraph(event.clientX, event.clientY);
  let drag: Drag | null = null;
  follow(
    event,
    place,
    (x, y, now) => {
      const to = place.toGraph(x, y);
      const grid = now.altKey ? 1 : GRID;
      const shift: Point = [Math.round((to[0] - from[0]) / grid) * grid, Math.round((to[1] - from[1]) / grid) * grid];
      drag = drag ? { ...drag, shift } : { ...carried(shared), shift };
      store.setState({ drag });
    },
    (moved) => {
      if (!moved || !drag) {
        clicked();
        return;
      }
      apply(editor, words.canvas.said.moved, movedBy(shared, drag));
      store.setState({ drag: null });
    },
  );
}

/** What goes along with a drag: the selection, and what lies in its frames. */
function carried({ editor, scene }: CanvasShared): Omit<Drag, 'shift'> {
  const { selection, level } = editor.getState();
  const canvas = level === null ? graphOf(editor).canvas : undefined;
  const nodes = new Set(selection.nodes);
  const notes = new Set(selection.notes);
  const frames = new Set(selection.frames);
  for (const id of selection.frames) {
    const frame = canvas?.frames?.[id];
    if (!frame) continue;
    const box = boxOfPlace(frame);
    for (const card of cardsIn(scene(), box)) if (isIn(card.box, box)) nodes.add(card.id);
    for (const [note, one] of Object.entries(canvas?.notes ?? {})) if (isIn(boxOfPlace(one), box)) notes.add(note);
    for (const [inner, one] of Object.entries(canvas?.frames ?? {})) if (isIn(boxOfPlace(one), box)) frames.add(inner);
  }
  return { nodes, notes, frames };
}

/** The edit that a drag comes to. */
function movedBy({ scene }: CanvasShared, drag: Drag): Edit {
  const [dx, dy] = drag.shift;
  const places = new Map<string, Point>();
  for (const id of drag.nodes) {
    const card = scene().cards.get(id);
    if (card) places.set(id, [card.box.left + dx, card.box.top + dy]);
  }
  return (graph) => {
    let changed = moveNodes(places)(graph);
    for (const part of ['notes', 'frames'] as const) {
      for (const id of drag[part]) {
        const old = graph.canvas?.[part]?.[id];
        if (old) changed = placeDecoration(part, id, [old.at[0] + dx, old.at[1] + dy])(changed);
      }
    }
    return changed;
  };
}

function boxing(shared: CanvasShared, place: Place, event: ReactPointerEvent, hit: Hit, add: boolean): void {
  const { editor, store } = shared;
  const from = place.toGraph(event.clientX, event.clientY);
  const before = add ? editor.getState().selection : NOTHING;
  follow(
    event,
    place,
    (x, y) => {
      const to = place.toGraph(x, y);
      const box = {
        left: Math.min(from[0], to[0]),
        top: Math.min(from[1], to[1]),
        right: Math.max(from[0], to[0]),
        bottom: Math.max(from[1], to[1]),
      };
      const { level } = editor.getState();
      const notes = level === null ? Object.entries(graphOf(editor).canvas?.notes ?? {}) : [];
      const touched = notes.flatMap(([id, note]) => {
        return isIn(boxOfPlace(note), box) ? [id] : [];
      });
      store.setState({ box });
      select(editor, {
        ...before,
        nodes: [...before.nodes, ...cardsIn(shared.scene(), box).map((card) => card.id)],
        notes: [...before.notes, ...touched],
      });
    },
    (moved) => {
      store.setState({ box: null });
      if (!moved && !add && hit.kind === 'empty') select(editor, {});
      if (moved)
        shared.actions.say(fill(words.canvas.said.selected, { count: editor.getState().selection.nodes.size }));
    },
  );
}
