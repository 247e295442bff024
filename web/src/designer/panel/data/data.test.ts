import { describe, expect, test } from 'vitest';
import type { ItemView } from '@/api/runData';
import type { JsonObject } from '@/graph/model';
import { sizeText } from '@/widgets/sizes';
import { jsonLines, rowKey, treeRows } from './rows';
import { brief, columnsOf, contains, fieldKey, openFields, shapeOf } from './shape';
import { comesFrom, toldOrigins } from './views';

describe('the shape of items', () => {
  test('tells fields with their types, in the order in which they come up', () => {
    const found = shapeOf([
      { a: 1, b: { c: 'x' } },
      { a: null, d: [{ e: true }] },
    ]);
    expect(found.map((field) => [field.path.join('.'), field.types.join('|'), field.count])).toEqual([
      ['a', 'number|null', 2],
      ['b', 'object', 1],
      ['b.c', 'string', 1],
      ['d', 'array', 1],
      ['d.0.e', 'boolean', 1],
    ]);
    expect(found[0]?.sample).toBe(1);
  });

  test('of many fields shows the outer ones until they are opened', () => {
    const many = Object.fromEntries(Array.from({ length: 20 }, (_, at) => [`f${at}`, { inner: { deep: at } }]));
    const fields = shapeOf([many]);
    const closed = openFields(fields, new Set());
    expect(closed.map((field) => field.name)).toEqual(Object.keys(many));
    const first = closed[0];
    expect(first?.open).toBe(false);
    const opened = openFields(fields, new Set(first ? [fieldKey(first)] : []));
    expect(opened.slice(0, 3).map((field) => field.name)).toEqual(['f0', 'inner', 'f1']);
    const few = shapeOf([{ a: { b: 1 }, c: 2 }]);
    expect(openFields(few, new Set()).map((field) => field.name)).toEqual(['a', 'b', 'c']);
    expect(openFields(few, new Set(['["a"]'])).map((field) => field.name)).toEqual(['a', 'c']);
  });

  test('stays small for items that are endlessly wide or deep', () => {
    const wide = Object.fromEntries(Array.from({ length: 50_000 }, (_, index) => [`f${index}`, index]));
    expect(shapeOf([wide]).length).toBe(2_000);
    let deep: JsonObject = {};
    for (let depth = 0; depth < 1_000; depth++) deep = { a: deep };
    expect(shapeOf([deep]).length).toBeLessThan(20);
  });

  test('columns are those that any item has; what is too many is counted', () => {
    expect(columnsOf([{ a: 1 }, { b: 2, a: 3 }, { c: 4 }], 2)).toEqual({ columns: ['a', 'b'], more: 1 });
  });
});

describe('values in one line', () => {
  test('are cut, without writing all of them first', () => {
    expect(brief('x'.repeat(1_000), 10)).toBe('xxxxxxxxxx…');
    expect(brief({ a: [1, 'b', null], c: { d: true } })).toBe('{a: [1, "b", null], c: {d: true}}');
    expect(brief(Array.from({ length: 100_000 }, () => 'long')).length).toBeLessThan(230);
  });

  test('hostile texts stay texts', () => {
    expect(brief('<img src=x onerror=alert(1)>')).toBe('<img src=x onerror=alert(1)>');
  });
});

describe('rows', () => {
  const items = [{ index: 7, json: { a: { b: 1 }, c: [] } }];

  test('items are open at first, what is in them when it is toggled', () => {
    expect(treeRows(items, new Set()).map((row) => row.name)).toEqual(['7', 'a', 'c']);
    expect(treeRows(items, new Set([rowKey(7, ['a'])])).map((row) => row.name)).toEqual(['7', 'a', 'b', 'c']);
    expect(treeRows(items, new Set([rowKey(7, [])])).map((row) => row.name)).toEqual(['7']);
  });

  test('JSON comes line by line, long texts cut', () => {
    expect(jsonLines([{ a: 1 }])).toEqual(['[', '  {', '    "a": 1', '  }', ']']);
    expect(jsonLines('x'.repeat(1_000_000))[0]?.length).toBeLessThan(2_100);
  });
});

test('a search finds names and values, at any depth', () => {
  expect(contains({ a: { Price: 1 } }, 'price')).toBe(true);
  expect(contains({ a: [{ b: 'ANN' }] }, 'ann')).toBe(true);
  expect(contains({ a: 12 }, '12')).toBe(true);
  expect(contains({ a: null }, 'ann')).toBe(false);
});

test('an input item is marked when what is pointed at came from it', () => {
  const origin = { step: 'fetch', port: 'out', index: 3 };
  const item = { index: 0, json: {}, binary: {}, came_from: [origin] } as unknown as ItemView;
  expect(comesFrom(item, [{ ...origin }])).toBe(true);
  expect(comesFrom(item, [{ ...origin, index: 4 }])).toBe(false);
});

test('where an item comes from is told in words', () => {
  const made = { index: 0, json: {}, binary: {}, came_from: [{ step: 'fetch', port: 'out', index: 3 }] };
  const first = { ...made, came_from: [{ step: null, port: 'out', index: 0 }] };
  expect(toldOrigins(made as unknown as ItemView, false)).toBe('comes from item 3 of fetch');
  expect(toldOrigins(first as unknown as ItemView, true)).toBe(
    'the chosen item comes from it, item 0 of what the run began with',
  );
  expect(toldOrigins(undefined, false)).toBeUndefined();
});

test('bytes are told with a unit', () => {
  expect(sizeText(12)).toBe('12 bytes');
  expect(sizeText(1536)).toBe('1.5 KiB');
  expect(sizeText(64 * 1024 * 1024)).toBe('64.0 MiB');
});
