/** Find in a graph: names, ids, types, parameters, notes, on every level. */

import type { GraphSpec, Json } from '@/graph/model';
import { labelOf } from '@/graph/model';
import { memo, placesOf } from '@/graph/read';

export interface Found {
  readonly kind: 'node' | 'note' | 'frame';
  readonly id: string;
  /** Where in it: `name`, `with.url`. */
  readonly where: string;
  /** What stands there, cut to what can be shown. */
  readonly text: string;
}

interface Entry extends Found {
  readonly low: string;
}

/** Every text of a graph with where it stands. */
const textsOf = memo((graph: GraphSpec): readonly Entry[] => {
  const all: Entry[] = [];
  const add = (kind: Found['kind'], id: string, where: string, text: string) =>
    all.push({ kind, id, where, text, low: text.toLowerCase() });
  const walk = (id: string, where: string, value: Json | undefined): void => {
    if (value === undefined || value === null) return;
    if (Array.isArray(value)) for (const [index, one] of value.entries()) walk(id, `${where}.${index}`, one);
    else if (typeof value === 'object') {
      for (const [key, one] of Object.entries(value)) {
        add('node', id, `${where}.${key}`, key);
        walk(id, `${where}.${key}`, one as Json);
      }
    } else add('node', id, where, String(value));
  };
  for (const { node } of placesOf(graph).values()) {
    add('node', node.id, 'name', labelOf(node));
    if (node.name) add('node', node.id, 'id', node.id);
    add('node', node.id, 'type', node.use);
    if (node.notes) add('node', node.id, 'notes', node.notes);
    walk(node.id, 'with', node.with);
    walk(node.id, 'write', node.write);
  }
  for (const [id, note] of Object.entries(graph.canvas?.notes ?? {})) add('note', id, 'text', note.text);
  for (const [id, frame] of Object.entries(graph.canvas?.frames ?? {})) add('frame', id, 'title', frame.title);
  return all;
});

/** Where a text is, each node, note and frame once. */
export function findIn(graph: GraphSpec, wanted: string): readonly Found[] {
  const query = wanted.trim().toLowerCase();
  if (!query) return [];
  const seen = new Set<string>();
  const found: Found[] = [];
  for (const { low, ...entry } of textsOf(graph)) {
    const key = `${entry.kind} ${entry.id}`;
    const at = seen.has(key) ? -1 : low.indexOf(query);
    if (at < 0) continue;
    seen.add(key);
    found.push({ ...entry, text: around(entry.text, at, query.length) });
  }
  return found;
}

function around(text: string, at: number, length: number): string {
  const from = Math.max(0, at - 24);
  const to = Math.min(text.length, at + length + 40);
  return `${from ? '…' : ''}${text.slice(from, to).replace(/\s+/g, ' ')}${to < text.length ? '…' : ''}`;
}
