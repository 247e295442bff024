/** What items look like together: the fields they have with their types, and the columns of a table. */

import type { Json, JsonObject } from '@/graph/model';

export type TypeName = 'string' | 'number' | 'boolean' | 'object' | 'array' | 'null';

/** A field that some of the items have. */
export interface FieldShape {
  /** Names and indexes from the item to it; 0 stands for any element of a list. */
  readonly path: readonly (string | number)[];
  readonly name: string;
  readonly depth: number;
  readonly types: readonly TypeName[];
  /** A value that it has, the first that is not null. */
  readonly sample: Json;
  /** In how many items. */
  readonly count: number;
  readonly inner: boolean;
}

const MAX_FIELDS = 2_000;
const MAX_DEPTH = 12;

export function typeOf(value: Json): TypeName {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  return typeof value as TypeName;
}

interface Gathered {
  types: Set<TypeName>;
  sample: Json;
  count: number;
  fields: Map<string, Gathered>;
  element: Gathered | null;
}

const nothing = (): Gathered => ({ types: new Set(), sample: null, count: 0, fields: new Map(), element: null });

/** The fields of the items, outer ones before what is in them, in the order in which they come up. */
export function shapeOf(items: readonly JsonObject[]): readonly FieldShape[] {
  const root = nothing();
  let left = MAX_FIELDS;
  const gather = (into: Gathered, value: Json, depth: number): void => {
    into.count++;
    into.types.add(typeOf(value));
    if (into.sample === null) into.sample = value;
    if (value === null || typeof value !== 'object' || depth > MAX_DEPTH) return;
    if (Array.isArray(value)) {
      for (const element of (value as readonly Json[]).slice(0, 20)) {
        into.element ??= nothing();
        gather(into.element, element, depth + 1);
      }
      return;
    }
    for (const [name, inner] of Object.entries(value)) {
      let field = into.fields.get(name);
      if (!field) {
        if (left-- <= 0) return;
        field = nothing();
        into.fields.set(name, field);
      }
      gather(field, inner as Json, depth + 1);
    }
  };
  for (const item of items) gather(root, item, 0);

  const found: FieldShape[] = [];
  const tell = (at: Gathered, path: readonly (string | number)[], name: string, depth: number): void => {
    const inner = at.fields.size > 0 || (at.element?.fields.size ?? 0) > 0;
    found.push({ path, name, depth, types: [...at.types], sample: at.sample, count: at.count, inner });
    tellInner(at, path, depth + 1);
  };
  const tellInner = (at: Gathered, path: readonly (string | number)[], depth: number): void => {
    for (const [name, field] of at.fields) tell(field, [...path, name], name, depth);
    if (at.element) tellInner(at.element, [...path, 0], depth);
  };
  tellInner(root, [], 0);
  return found;
}

/** More fields than this begin folded: what is on the outside is what one looks for first. */
const MANY = 20;

/** The fields that are shown, each with whether it is open: of a large shape the outer ones until they are opened. */
export function openFields(
  fields: readonly FieldShape[],
  toggled: ReadonlySet<string>,
): readonly (FieldShape & { readonly open: boolean })[] {
  const folded = fields.length > MANY;
  const shown: (FieldShape & { readonly open: boolean })[] = [];
  // What is deeper than this is inside a field that is folded.
  let depth = Number.POSITIVE_INFINITY;
  for (const field of fields) {
    if (field.depth > depth) continue;
    const open = field.inner && toggled.has(fieldKey(field)) === folded;
    depth = field.inner && !open ? field.depth : Number.POSITIVE_INFINITY;
    shown.push({ ...field, open });
  }
  return shown;
}

/** What a field is known by while it is opened and folded. */
export function fieldKey(field: FieldShape): string {
  return JSON.stringify(field.path);
}

/** The columns of a table of the items: the names of their fields, in the order in which they come up. */
export function columnsOf(items: readonly JsonObject[], most: number): { columns: readonly string[]; more: number } {
  const names = new Set<string>();
  for (const item of items) for (const name of Object.keys(item)) names.add(name);
  const all = [...names];
  return { columns: all.slice(0, most), more: Math.max(0, all.length - most) };
}

/** A value in one line, cut where it is long; what is left out is not even made. */
export function brief(value: Json | undefined, most = 200): string {
  if (value === undefined) return '';
  if (typeof value === 'string') return value.length > most ? `${value.slice(0, most)}…` : value;
  if (value === null || typeof value !== 'object') return String(value);
  let left = most;
  const parts: string[] = [];
  const put = (text: string): boolean => {
    parts.push(text.length > left ? `${text.slice(0, Math.max(0, left))}…` : text);
    left -= text.length;
    return left > 0;
  };
  const write = (at: Json): boolean => {
    if (Array.isArray(at)) {
      if (!put('[')) return false;
      for (const [index, element] of (at as readonly Json[]).entries()) {
        if (index && !put(', ')) return false;
        if (!write(element)) return false;
      }
      return put(']');
    }
    if (at !== null && typeof at === 'object') {
      if (!put('{')) return false;
      let index = 0;
      for (const [name, inner] of Object.entries(at)) {
        if (index++ && !put(', ')) return false;
        if (!put(`${name}: `) || !write(inner as Json)) return false;
      }
      return put('}');
    }
    if (typeof at === 'string') return put(JSON.stringify(at.length > most ? `${at.slice(0, most)}…` : at));
    return put(String(at));
  };
  write(value);
  return parts.join('');
}

/** Whether a text stands in a value, or in a name in it. `wanted` is in lower case. */
export function contains(value: Json, wanted: string): boolean {
  if (typeof value === 'string') return value.toLowerCase().includes(wanted);
  if (value === null || typeof value !== 'object') return String(value).includes(wanted);
  if (Array.isArray(value)) return (value as readonly Json[]).some((element) => contains(element, wanted));
  return Object.entries(value).some(
    ([name, inner]) => name.toLowerCase().includes(wanted) || contains(inner as Json, wanted),
  );
}
