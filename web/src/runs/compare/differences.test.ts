import fc from 'fast-check';
import { expect, it } from 'vitest';
import { differences } from './differences';

it('finds the innermost places that differ', () => {
  const a = { same: 1, list: [1, { x: 'a' }], gone: null };
  const b = { same: 1, list: [1, { x: 'b' }, 3] };
  expect(differences(a, b)).toEqual([
    { path: 'list[1].x', a: 'a', b: 'b' },
    { path: 'list[2]', a: undefined, b: 3 },
    { path: 'gone', a: null, b: undefined },
  ]);
});

it('finds none between a value and its copy, and some wherever JSON differs', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.jsonValue(), (a, b) => {
      expect(differences(a, structuredClone(a))).toEqual([]);
      const sorted = (value: unknown) => JSON.stringify(value, (_, each) => order(each));
      if (sorted(a) !== sorted(b)) expect(differences(a, b).length).toBeGreaterThan(0);
    }),
  );
});

function order(value: unknown): unknown {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([x], [y]) => (x < y ? -1 : 1)));
}
