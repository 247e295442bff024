/** Edits of what is only drawn: sticky notes, frames, colours. */

import { withEntry } from './change';
import { freeId } from './ids';
import type { Color, Edit, Frame, GraphSpec, Point, Size, StickyNote } from './model';
import { rounded, withCanvas } from './nodes';
import { placesOf } from './read';

export type Decoration = 'notes' | 'frames';

/** An id that no note, or no frame, has. */
export function freshDecoration(graph: GraphSpec, part: Decoration): string {
  const known = graph.canvas?.[part] ?? {};
  return freeId({ has: (id) => id in known }, part === 'notes' ? 'note' : 'frame');
}

/** Set a note, or remove it. */
export function setNote(id: string, note: StickyNote | undefined): Edit {
  return (graph) => withCanvas(graph, 'notes', withEntry(graph.canvas?.notes, id, note));
}

/** Set a frame, or remove it. */
export function setFrame(id: string, frame: Frame | undefined): Edit {
  return (graph) => withCanvas(graph, 'frames', withEntry(graph.canvas?.frames, id, frame));
}

/** Move or resize a note or a frame. */
export function placeDecoration(part: Decoration, id: string, at: Point, size?: Size): Edit {
  return (graph) => {
    const old = graph.canvas?.[part]?.[id];
    if (!old) return graph;
    const fresh = { ...old, at: rounded(at), size: size ? rounded(size) : old.size };
    const same = String([...fresh.at, ...fresh.size]) === String([...old.at, ...old.size]);
    if (same) return graph;
    return part === 'notes' ? setNote(id, fresh as StickyNote)(graph) : setFrame(id, fresh as Frame)(graph);
  };
}

/** Colour nodes, notes and frames; undefined takes the colour away. */
export function setColor(
  chosen: { readonly nodes: Iterable<string>; readonly notes: Iterable<string>; readonly frames: Iterable<string> },
  color: Color | undefined,
): Edit {
  return (graph) => {
    let changed = graph;
    for (const id of chosen.nodes) {
      if (placesOf(graph).has(id))
        changed = withCanvas(changed, 'colors', withEntry(changed.canvas?.colors, id, color));
    }
    for (const id of chosen.notes) {
      const note = changed.canvas?.notes?.[id];
      if (note && note.color !== color) changed = setNote(id, colored(note, color))(changed);
    }
    for (const id of chosen.frames) {
      const frame = changed.canvas?.frames?.[id];
      if (frame && frame.color !== color) changed = setFrame(id, colored(frame, color))(changed);
    }
    return changed;
  };
}

function colored<T extends { readonly color?: Color }>(one: T, color: Color | undefined): T {
  const { color: _, ...rest } = one;
  return (color ? { ...rest, color } : rest) as T;
}
