/** Edits by paths: how the server tells a quick fix, and how a merge takes a side. */

import type { GraphSpec, Json } from './model';

/** What to write at a path of the graph as data, or to take away there. */
interface PathEdit {
  readonly path: readonly (string | number)[];
  readonly value?: unknown;
  readonly remove?: boolean;
}

/** The graph after the edits, one after the other. Raises `RangeError` where a path leads nowhere. */
export function withEdits(graph: GraphSpec, edits: readonly PathEdit[]): GraphSpec {
  return edits.reduce<unknown>((at, edit) => changed(at, edit.path, edit), graph) as GraphSpec;
}

/** The graph after several fixes of one check; one that no longer leads anywhere is passed over. */
export function withFixes(graph: GraphSpec, fixes: readonly { readonly edits: readonly PathEdit[] }[]): GraphSpec {
  // What is taken out of a list moves what stands behind it: that comes last, from the back.
  const place = (edits: readonly PathEdit[]) =>
    Math.max(
      -1,
      ...edits.map((edit) => (edit.remove && typeof edit.path.at(-1) === 'number' ? Number(edit.path.at(-1)) : -1)),
    );
  const ordered = fixes.toSorted((one, other) => {
    const [left, right] = [place(one.edits), place(other.edits)];
    return left < 0 || right < 0 ? left - right : right - left;
  });
  return ordered.reduce((at, fix) => {
    try {
      return withEdits(at, fix.edits);
    } catch {
      return at;
    }
  }, graph);
}

function changed(at: unknown, path: readonly (string | number)[], edit: PathEdit): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return edit.value as Json;
  if (Array.isArray(at)) {
    if (typeof key !== 'number' || key < 0 || key > at.length) throw new RangeError(`no place ${key} in a list`);
    if (rest.length === 0 && edit.remove) return at.filter((_, index) => index !== key);
    return at.toSpliced(key, 1, changed(at[key], rest, edit));
  }
  if (at !== undefined && at !== null && typeof at !== 'object') throw new RangeError(`no ${key} in a plain value`);
  const map = (at ?? {}) as Record<string, unknown>;
  if (rest.length === 0 && edit.remove) {
    const { [key]: _, ...others } = map;
    return others;
  }
  return { ...map, [key]: changed(map[key], rest, edit) };
}
