import fc from 'fast-check';
import { expect, it } from 'vitest';
import { folded, type RunEvent, unheard } from './fold';
import recorded from './recorded.json';
import { extentOf, markEvery } from './timescale';

it('reaches from the first beginning to the last end', () => {
  const events = (recorded[0]?.events ?? []) as unknown as RunEvent[];
  const { steps } = folded(unheard('r'), events);
  const { start, end } = extentOf(steps.values(), null, 0);
  const times = events.filter((event) => event.step).map((event) => Date.parse(event.at));
  expect(start).toBe(Math.min(...times));
  expect(end).toBeGreaterThan(start);
  expect(end).toBeLessThanOrEqual(Math.max(...times));
});

it('sets marks that do not touch, however far it is zoomed', () => {
  fc.assert(
    fc.property(fc.double({ min: 1e-9, max: 100, noNaN: true }), (scale) => {
      expect(markEvery(scale) * scale).toBeGreaterThanOrEqual(89.9);
    }),
  );
});
