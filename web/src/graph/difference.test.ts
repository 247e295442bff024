import { expect, test } from 'vitest';
import { difference } from './difference';
import type { GraphSpec } from './model';

const old: GraphSpec = {
  pyagent: 1,
  id: 'sample',
  nodes: [
    { id: 'a', use: 'data.set@1', with: { x: 1, y: 2 } },
    { id: 'b', use: 'data.set@1' },
    { id: 'c', use: 'data.set@1' },
    { id: 'm', use: 'flow.map@1', body: { nodes: [{ id: 'inner', use: 'data.set@1' }] } },
  ],
  edges: ['a -> b', 'b -> c'],
  layout: { a: [0, 0], b: [1, 0], c: [2, 0] },
};
const fresh: GraphSpec = {
  ...old,
  nodes: [
    { id: 'a', use: 'data.set@1', with: { y: 2, x: 1 } },
    { id: 'c', use: 'data.set@1', with: { x: 2 } },
    { id: 'm', use: 'flow.map@1', body: { nodes: [{ id: 'other', use: 'data.set@1' }] } },
    { id: 'd', use: 'data.set@1' },
  ],
  edges: ['a -> c', 'c -> d'],
  layout: { a: [5, 0], c: [2, 0], d: [3, 0] },
};

test('added, removed, changed and moved nodes are told apart, in bodies too', () => {
  expect(Object.fromEntries(difference(old, fresh).nodes)).toEqual({
    a: 'moved',
    b: 'removed',
    c: 'changed',
    d: 'added',
    inner: 'removed',
    other: 'added',
  });
});

test('both versions are in one graph', () => {
  const { both, edges } = difference(old, fresh);
  expect(both.nodes.map((node) => node.id)).toEqual(['a', 'c', 'm', 'd', 'b']);
  expect(both.nodes[2]?.body?.nodes?.map((node) => node.id)).toEqual(['other', 'inner']);
  expect(both.layout).toMatchObject({ a: [5, 0], b: [1, 0] });
  expect(Object.fromEntries(edges.get(null) ?? [])).toEqual({
    'a -> c': 'added',
    'c -> d': 'added',
    'a -> b': 'removed',
    'b -> c': 'removed',
  });
});

test('a graph does not differ from itself', () => {
  const { both, nodes, edges } = difference(old, structuredClone(old));
  expect([nodes.size, edges.size]).toEqual([0, 0]);
  expect(both).toEqual(old);
});
