/** Items as rows of a tree, and as lines of JSON: only what is open is made, and long texts are cut. */

import type { Json, JsonObject } from '@/graph/model';
import { brief, type TypeName, typeOf } from './shape';

interface TreeRow {
  /** From the item on. */
  readonly path: readonly (string | number)[];
  /** Which item it is in. */
  readonly item: number;
  readonly name: string;
  readonly depth: number;
  readonly type: TypeName;
  readonly value: Json;
  readonly text: string;
  readonly inner: boolean;
  readonly open: boolean;
}

const MAX_ROWS = 20_000;

/** What names a row among those that are open. */
export function rowKey(item: number, path: readonly (string | number)[]): string {
  return `${item}:${JSON.stringify(path)}`;
}

/** The rows of the items; those named in `toggled` are open where they would be closed, and the other way round. */
export function treeRows(
  items: readonly { readonly index: number; readonly json: JsonObject }[],
  toggled: ReadonlySet<string>,
): readonly TreeRow[] {
  const rows: TreeRow[] = [];
  const walk = (item: number, path: readonly (string | number)[], name: string, value: Json, depth: number): void => {
    if (rows.length >= MAX_ROWS) return;
    const inner = value !== null && typeof value === 'object' && Object.keys(value).length > 0;
    const normally = depth === 0;
    const open = inner && normally !== toggled.has(rowKey(item, path));
    rows.push({ path, item, name, depth, type: typeOf(value), value, text: brief(value), inner, open });
    if (!open) return;
    if (Array.isArray(value)) {
      for (const [index, one] of (value as readonly Json[]).entries()) {
        walk(item, [...path, index], String(index), one, depth + 1);
      }
    } else {
      for (const [key, one] of Object.entries(value as JsonObject)) {
        walk(item, [...path, key], key, one as Json, depth + 1);
      }
    }
  };
  for (const one of items) walk(one.index, [], String(one.index), one.json, 0);
  return rows;
}

const LONG = 2_000;
const MAX_LINES = 200_000;

/** The value as indented JSON, a line each; texts of thousands of characters are cut. */
export function jsonLines(value: unknown): readonly string[] {
  const text = JSON.stringify(
    value,
    (_, inner) =>
      typeof inner === 'string' && inner.length > LONG ? `${inner.slice(0, LONG)}… (${inner.length})` : inner,
    2,
  );
  const lines = (text ?? '').split('\n');
  return lines.length > MAX_LINES ? [...lines.slice(0, MAX_LINES), '…'] : lines;
}
