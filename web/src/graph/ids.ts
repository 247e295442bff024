/** Ids of nodes: made from what a node is called, unique in the whole file, bodies included. */

import type { GraphSpec } from './model';
import { placesOf } from './read';

const ID = /^[a-z][a-z0-9_]*$/;

/** Whether a text can be a node's id. */
export function isId(text: string): boolean {
  return ID.test(text);
}

/** What a text is as an id: `HTTP request` is `http_request`. */
export function slug(text: string): string {
  const plain = text
    .normalize('NFKD')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '_')
    .replace(/^[_0-9]+|_+$/g, '');
  return plain || 'node';
}

/** An id like the wanted one that is not taken: `http`, `http_2`, `http_3`, … */
export function freeId(taken: { has(id: string): boolean }, wanted: string): string {
  const base = slug(wanted);
  if (!taken.has(base)) return base;
  const stem = base.replace(/_\d+$/, '');
  for (let count = 2; ; count++) {
    const id = `${stem}_${count}`;
    if (!taken.has(id)) return id;
  }
}

/** An id like the wanted one that no node of the graph has. */
export function freshId(graph: GraphSpec, wanted: string): string {
  return freeId(placesOf(graph), wanted);
}

/** A label like the wanted one that no node of the graph has: `HTTP request`, `HTTP request 2`, … */
export function freshName(graph: GraphSpec, wanted: string): string {
  const taken = new Set([...placesOf(graph).values()].map(({ node }) => node.name || node.id));
  return freeName(taken, wanted);
}

/** A label like the wanted one that is not taken. */
export function freeName(taken: { has(name: string): boolean }, wanted: string): string {
  if (!taken.has(wanted)) return wanted;
  const stem = wanted.replace(/ \d+$/, '');
  for (let count = 2; ; count++) {
    const name = `${stem} ${count}`;
    if (!taken.has(name)) return name;
  }
}
