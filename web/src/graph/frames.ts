/** Frames and what lies in them: nodes, sticky notes and other frames, by where they are drawn. */

import { placeDecoration } from './decorate';
import type { Canvas, Edit, Frame, Point, Size } from './model';
import { moveNodes } from './nodes';
import type { Box } from './shape';

/** Room between a frame and what it is drawn around; the title stands above. */
export const FRAME_ROOM = { left: 30, top: 60, right: 30, bottom: 30 };

/** What is in a frame itself, what frames in it hold not counted. */
export interface Held {
  readonly nodes: readonly string[];
  readonly notes: readonly string[];
  readonly frames: readonly string[];
}

/** Each frame by what it holds, and those that lie in no other. */
export interface Nest {
  readonly frames: ReadonlyMap<string, Held>;
  readonly outermost: readonly string[];
}

export const NO_FRAMES: Nest = { frames: new Map(), outermost: [] };

/** Where things are to be, frames with their sizes. */
export interface Arrangement {
  readonly nodes: ReadonlyMap<string, Point>;
  readonly notes: ReadonlyMap<string, Point>;
  readonly frames: ReadonlyMap<string, { readonly at: Point; readonly size: Size }>;
}

/** The box of a note or a frame. */
export function boxOfPlace({ at, size }: { readonly at: Point; readonly size: Size }): Box {
  return { left: at[0], top: at[1], right: at[0] + size[0], bottom: at[1] + size[1] };
}

/** Whether a box lies in another one. */
export function isIn(inner: Box, outer: Box): boolean {
  return (
    inner.left >= outer.left && inner.right <= outer.right && inner.top >= outer.top && inner.bottom <= outer.bottom
  );
}

/** The smallest box around all of them. */
export function around(boxes: readonly Box[]): Box {
  return {
    left: Math.min(...boxes.map((box) => box.left)),
    top: Math.min(...boxes.map((box) => box.top)),
    right: Math.max(...boxes.map((box) => box.right)),
    bottom: Math.max(...boxes.map((box) => box.bottom)),
  };
}

/** Frames in the order in which they are drawn: what lies in another one lies on it, wherever the file names it. */
export function stacked(canvas: Canvas | undefined): readonly (readonly [id: string, frame: Frame])[] {
  const area = ({ size }: Frame) => size[0] * size[1];
  return Object.entries(canvas?.frames ?? {}).sort(([, one], [, other]) => area(other) - area(one));
}

/** The box of a frame that is drawn around all of them. */
export function roomAround(boxes: readonly Box[]): Box {
  const { left, top, right, bottom } = around(boxes);
  return {
    left: left - FRAME_ROOM.left,
    top: top - FRAME_ROOM.top,
    right: right + FRAME_ROOM.right,
    bottom: bottom + FRAME_ROOM.bottom,
  };
}

/** What lies in which frame: each thing in the smallest one around it. */
export function nested(canvas: Canvas | undefined, cards: Iterable<{ readonly id: string; readonly box: Box }>): Nest {
  // Of two that cover each other exactly the later one is the inner one.
  const smallest = stacked(canvas)
    .map(([id, frame]) => ({ id, box: boxOfPlace(frame) }))
    .reverse();
  if (!smallest.length) return NO_FRAMES;
  const held = new Map(
    smallest.map(({ id }) => [id, { nodes: [], notes: [], frames: [] } as Record<keyof Held, string[]>]),
  );
  const put = (part: keyof Held, id: string, box: Box, from = 0): boolean => {
    const frame = smallest.slice(from).find((one) => isIn(box, one.box));
    if (frame) held.get(frame.id)?.[part].push(id);
    return frame !== undefined;
  };
  const outermost = smallest.filter(({ id, box }, index) => !put('frames', id, box, index + 1)).map(({ id }) => id);
  for (const { id, box } of cards) put('nodes', id, box);
  for (const [id, note] of Object.entries(canvas?.notes ?? {})) put('notes', id, boxOfPlace(note));
  return { frames: held, outermost };
}

/** All that is in these frames, and in frames that are in them. */
export function allIn(nest: Nest, ids: Iterable<string>): { [part in keyof Held]: ReadonlySet<string> } {
  const found = { nodes: new Set<string>(), notes: new Set<string>(), frames: new Set<string>() };
  const take = (id: string): void => {
    const held = nest.frames.get(id);
    for (const node of held?.nodes ?? []) found.nodes.add(node);
    for (const note of held?.notes ?? []) found.notes.add(note);
    for (const frame of held?.frames ?? []) {
      found.frames.add(frame);
      take(frame);
    }
  };
  for (const id of ids) take(id);
  return found;
}

/** The outermost frames of which all nodes are among these, and at least one is there: such are laid out as a whole. */
export function wholeFrames(nest: Nest, among: (node: string) => boolean): readonly string[] {
  const find = (id: string): readonly string[] => {
    const { nodes } = allIn(nest, [id]);
    if (nodes.size > 0 && [...nodes].every(among)) return [id];
    return (nest.frames.get(id)?.frames ?? []).flatMap(find);
  };
  return nest.outermost.flatMap(find);
}

/** A frame that some nodes were moved out of grows around them: what it held it holds on to. */
export function grown(
  canvas: Canvas | undefined,
  nest: Nest,
  moved: ReadonlyMap<string, Box>,
  known: Arrangement['frames'],
): Arrangement['frames'] {
  const found = new Map(known);
  for (const [id, frame] of Object.entries(canvas?.frames ?? {})) {
    if (known.has(id)) continue;
    const box = boxOfPlace(frame);
    const { nodes, frames } = allIn(nest, [id]);
    const inner = [
      ...[...nodes].flatMap((node) => moved.get(node) ?? []),
      ...[...frames].flatMap((one) => {
        const placed = known.get(one);
        return placed ? [boxOfPlace(placed)] : [];
      }),
    ].filter((one) => !isIn(one, box));
    if (!inner.length) continue;
    const all = around([box, roomAround(inner)]);
    found.set(id, { at: [all.left, all.top], size: [all.right - all.left, all.bottom - all.top] });
  }
  return found;
}

/** Put everything where an arrangement says; what is there no more is passed over. */
export function placed({ nodes, notes, frames }: Arrangement): Edit {
  return (graph) => {
    let changed = moveNodes(nodes)(graph);
    for (const [id, at] of notes) changed = placeDecoration('notes', id, at)(changed);
    for (const [id, { at, size }] of frames) changed = placeDecoration('frames', id, at, size)(changed);
    return changed;
  };
}
