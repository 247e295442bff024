import { expect, test } from 'vitest';
import type { GraphSpec } from './model';
import { renameGraphEntry, setGraphEntry, setGraphSetting, setGraphText } from './settings';

const graph: GraphSpec = {
  pyagent: 1,
  id: 'sample',
  nodes: [],
  inputs: { a: { type: 'string' }, b: { type: 'number' } },
};

test('an input keeps its place when it is renamed, and takes no other one', () => {
  expect(Object.keys(renameGraphEntry('inputs', 'a', 'c')(graph).inputs ?? {})).toEqual(['c', 'b']);
  expect(renameGraphEntry('inputs', 'a', 'b')(graph)).toBe(graph);
  expect(renameGraphEntry('inputs', 'x', 'y')(graph)).toBe(graph);
});

test('the last entry that goes takes the block with it', () => {
  const after = setGraphEntry('inputs', 'a', undefined)(setGraphEntry('inputs', 'b', undefined)(graph));
  expect(after).not.toHaveProperty('inputs');
});

test('a setting in a group comes and goes with the group', () => {
  const set = setGraphSetting(['concurrency', 'key'], '{{ 1 }}')(graph);
  expect(set.settings).toEqual({ concurrency: { key: '{{ 1 }}' } });
  expect(setGraphSetting(['concurrency', 'key'], undefined)(set)).toEqual(graph);
  expect(setGraphSetting(['timeout'], undefined)(graph)).toBe(graph);
});

test('an emptied text goes', () => {
  expect(setGraphText('name', '')(setGraphText('name', 'N')(graph))).toEqual(graph);
});
