import { expect, test } from 'vitest';
import { givenBy, type StepDetails } from './runData';

const item = (json: object, binary: object = {}) => ({ index: 0, json, binary, came_from: [] });
const outputs = (ports: object) => ({ outputs: ports }) as unknown as StepDetails;

test('what a step gave is told by port, so that the items of a second port stay its own', () => {
  const given = givenBy(
    outputs({ true: { count: 0, items: [], next: null }, false: { count: 1, items: [item({ n: 1 })], next: null } }),
  );
  expect(given.ports).toEqual({ false: [{ n: 1 }] });
  expect([given.count, given.all, given.files]).toEqual([1, 1, false]);
});

test('items that are not there, and files that JSON does not hold, are told', () => {
  const given = givenBy(outputs({ out: { count: 3, items: [item({}), item({}, { file: {} })], next: 2 } }));
  expect([given.count, given.all, given.files]).toEqual([2, 3, true]);
});
