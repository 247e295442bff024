import { expect, test } from 'vitest';
import { type Conflict, settled } from './conflicts';
import type { GraphSpec } from './model';
import { nodeOf } from './read';

const ours: GraphSpec = {
  pyagent: 1,
  id: 'sample',
  name: 'Ours',
  nodes: [
    { id: 'a', use: 'data.set@1', with: { fields: { t: 2 } } },
    { id: 'b', use: 'data.set@1', notes: 'hi' },
    { id: 'm', use: 'flow.map@1', body: { nodes: [{ id: 'c', use: 'data.set@1', with: { fields: { t: 5 } } }] } },
  ],
  edges: ['a -> b'],
  layout: { a: [0, 0], b: [9, 9] },
};
const theirs: GraphSpec = {
  pyagent: 1,
  id: 'sample',
  name: 'Theirs',
  nodes: [
    { id: 'a', use: 'data.set@1', with: { fields: { t: 3 } } },
    { id: 'm', use: 'flow.map@1', body: { nodes: [{ id: 'c', use: 'data.set@1', with: { fields: { t: 6 } } }] } },
  ],
  layout: { a: [0, 0] },
};
const both = { base: null, absent: [] };
const conflicts: readonly Conflict[] = [
  { ...both, path: 'name', parts: ['name'], kind: 'changed', ours: 'Ours', theirs: 'Theirs' },
  { ...both, path: '', parts: ['nodes', 'a', 'with', 'fields', 't'], kind: 'changed', ours: 2, theirs: 3 },
  { ...both, path: '', parts: ['nodes', 'b'], kind: 'deleted', ours: ours.nodes[1], theirs: null, absent: ['theirs'] },
  { ...both, path: '', parts: ['nodes', 'c', 'with', 'fields', 't'], kind: 'changed', ours: 5, theirs: 6 },
  { ...both, path: '', parts: ['edges', 'a -> b'], kind: 'dangling', ours: 'a -> b', theirs: null, absent: ['theirs'] },
];

test('their side everywhere is the merged graph', () => {
  expect(
    settled(
      theirs,
      ours,
      conflicts,
      conflicts.map(() => 'theirs'),
    ),
  ).toBe(theirs);
});

test('our side everywhere has our nodes, values and edges', () => {
  const all = settled(
    theirs,
    ours,
    conflicts,
    conflicts.map(() => 'ours'),
  );
  expect(new Set(all.nodes)).toEqual(new Set(ours.nodes));
  expect(all).toMatchObject({ name: 'Ours', edges: ['a -> b'], layout: { b: [9, 9] } });
});

test('each place can have another side', () => {
  const some = settled(theirs, ours, conflicts, ['theirs', 'ours', 'theirs', 'ours', 'theirs']);
  expect(some.name).toBe('Theirs');
  expect(nodeOf(some, 'a')?.with).toEqual({ fields: { t: 2 } });
  expect(nodeOf(some, 'c')?.with).toEqual({ fields: { t: 5 } });
  expect(nodeOf(some, 'b')).toBeUndefined();
});
