import { describe, expect, test } from 'vitest';
import type { Json } from '@/graph/model';
import { type Entry, lookUp, proposals, type Readable } from './complete';
import { rangeOf } from './extensions';

const entry = (on: string, signature: string, gives: string): Entry => ({
  name: signature.split('(')[0] as string,
  on,
  signature,
  gives,
  doc: '',
});
const items: Record<string, Json> = { Fetch: { lines: [{ title: 'A' }], 'mail address': 'x' } };
const data: Readable = {
  json: async () => ({ customer: { name: 'Ann', 'home address': 'x' }, price: 1, tags: ['a'] }),
  nodes: ['Fetch', "Ann's"],
  itemOf: async (node) => items[node],
  inputs: { mail: 'x' },
  state: { seen: [] },
  language: [
    entry('global', '$json', 'object'),
    entry('global', '$now', 'date'),
    entry('global', '$if(condition, a, b)', 'any'),
    entry('string', 'trim()', 'string'),
    entry('string', 'split(by)', 'array'),
    entry('date', 'toISO()', 'string'),
    entry('array', 'join(by)', 'string'),
    entry('node', 'first()', 'object'),
    entry('node', 'item', 'object'),
  ],
};
/** Proposals where the bar stands. */
const at = async (text: string) => {
  const place = text.indexOf('|');
  return proposals(text.replace('|', ''), place, data);
};
const labels = async (text: string) => (await at(text))?.map((one) => one.label);

describe('completion', () => {
  test('fields of the item come from its data, then what its type has', async () => {
    expect(await labels('{{ $json.| }}')).toEqual(['customer', 'price', 'tags']);
    expect(await labels('{{ $json.customer.na| }}')).toEqual(['name', 'home address']);
    expect(await labels('{{ $json.customer.name.| }}')).toEqual(['trim()', 'split(by)']);
    expect(await labels('{{ $json.tags.| }}')).toEqual(['join(by)']);
  });

  test('a name that is none in JavaScript takes the place of the dot', async () => {
    const found = await at('{{ $json.customer.| }}');
    expect(found?.[1]).toMatchObject({ insert: '["home address"]', from: '{{ $json.customer'.length });
  });

  test('items of other nodes are read', async () => {
    expect(await labels("{{ $('Fetch').| }}")).toEqual(['first()', 'item']);
    expect(await labels("{{ $('Fetch').first().json.| }}")).toEqual(['lines', 'mail address']);
    expect(await labels("{{ $('Fetch').item.json.lines[0].| }}")).toEqual(['title']);
    expect(await labels('{{ $node["Fetch"].json.| }}')).toEqual(['lines', 'mail address']);
  });

  test('names of nodes are proposed in $( and at the beginning', async () => {
    expect((await at("{{ $('|"))?.map((one) => one.insert)).toEqual(["'Fetch')", "'Ann\\'s')"]);
    expect(await labels('{{ | }}')).toEqual(['$json', '$now', '$if(condition, a, b)', "$('Fetch')", "$('Ann\\'s')"]);
  });

  test('what a method gives has methods, too', async () => {
    expect(await labels('{{ $json.customer.name.trim().split(",").| }}')).toEqual(['join(by)']);
    expect(await labels('{{ $now.| }}')).toEqual(['toISO()']);
    expect(await labels("{{ 'a'.| }}")).toEqual(['trim()', 'split(by)']);
  });

  test('inputs and state are known from the graph', async () => {
    expect(await labels('{{ $inputs.| }}')).toEqual(['mail']);
    expect(await labels('{{ $state["| }}')).toEqual(['seen']);
  });

  test('in text, and in a string, nothing is proposed', async () => {
    expect(await at('Dear |{{ 1 }}')).toBeNull();
    expect(await at("{{ 'a|' }}")).toBeNull();
  });

  test('a chain that cannot be followed has no fields', async () => {
    expect(await lookUp('$json.nothing.at.all', data)).toMatchObject({ kind: 'any' });
  });
});

describe('an error', () => {
  test('is underlined to the end of its word; without a place, all the code', () => {
    expect(rangeOf('{{ $json.foo }}', 9)).toEqual({ from: 9, to: 12 });
    expect(rangeOf('{{ 1 + }}', 7)).toEqual({ from: 7, to: 8 });
    expect(rangeOf('a {{ b }}', null)).toEqual({ from: 4, to: 7 });
    expect(rangeOf('a', null)).toBeNull();
  });
});
