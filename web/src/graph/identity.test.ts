import fc from 'fast-check';
import { expect, test } from 'vitest';
import { freshId, idFrom } from './identity';

test('any name makes an id that a graph file may have', () => {
  fc.assert(fc.property(fc.string({ unit: 'grapheme' }), (name) => /^[a-z][a-z0-9_]*$/.test(idFrom(name))));
  expect(idFrom('  Ärger & Folgen! ')).toBe('arger_folgen');
  expect(idFrom('42')).toBe('graph');
});

test('a fresh id is taken by nobody', () => {
  const taken = new Set(['fetch', 'fetch_2']);
  expect(freshId('fetch', (id) => taken.has(id))).toBe('fetch_3');
  expect(freshId('fetch_2', (id) => taken.has(id))).toBe('fetch_3');
  expect(freshId('parse', (id) => taken.has(id))).toBe('parse');
});
