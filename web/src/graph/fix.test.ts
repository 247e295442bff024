import { expect, test } from 'vitest';
import { withEdits, withFixes } from './fix';
import type { GraphSpec } from './model';

const graph: GraphSpec = {
  pyagent: 1,
  id: 'sample',
  nodes: [
    { id: 'a', use: 'data.set@1' },
    { id: 'b', use: 'data.sett@1', with: { old: 1 } },
  ],
  edges: ['a -> b', 'a -> c'],
};

test('edits by paths change what they name and share the rest', () => {
  const fixed = withEdits(graph, [
    { path: ['nodes', 1, 'use'], value: 'data.set@1' },
    { path: ['nodes', 1, 'with', 'old'], remove: true },
    { path: ['nodes', 0, 'with', 'fields', 'x'], value: 1 },
    { path: ['edges', 1], remove: true },
    { path: ['edges', 1], value: 'b -> a' },
  ]);
  expect(fixed.nodes[1]).toEqual({ id: 'b', use: 'data.set@1', with: {} });
  expect(fixed.nodes[0]?.with).toEqual({ fields: { x: 1 } });
  expect(fixed.edges).toEqual(['a -> b', 'b -> a']);
  expect(graph.edges).toHaveLength(2);
});

test('a path that leads nowhere is an error, and nothing is changed', () => {
  expect(() => withEdits(graph, [{ path: ['nodes', 7, 'use'], value: 'x' }])).toThrow(RangeError);
  expect(() => withEdits(graph, [{ path: ['id', 'x'], value: 'x' }])).toThrow(RangeError);
});

test('several fixes of one check do not disturb one another', () => {
  const fixed = withFixes(graph, [
    { edits: [{ path: ['edges', 0], remove: true }] },
    { edits: [{ path: ['edges', 1], remove: true }] },
    { edits: [{ path: ['nodes', 1, 'use'], value: 'data.set@1' }] },
    { edits: [{ path: ['nodes', 9, 'use'], value: 'gone' }] },
  ]);
  expect(fixed.edges).toEqual([]);
  expect(fixed.nodes[1]?.use).toBe('data.set@1');
});
