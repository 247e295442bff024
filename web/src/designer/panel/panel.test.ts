import { describe, expect, test } from 'vitest';
import type { GraphSpec } from '@/graph/model';
import { same } from './form/useParameter';
import { ancestors, edgesInto, neighbours } from './neighbours';
import { readItems } from './panes/PinDialog';
import { type Problem, problemsAt } from './problems';

const graph: GraphSpec = {
  pyagent: 1,
  id: 'sample',
  nodes: [
    { id: 'a', use: 'x.y@1' },
    { id: 'b', use: 'x.y@1' },
    {
      id: 'each',
      use: 'flow.map@1',
      body: {
        nodes: [
          { id: 'p', use: 'x.y@1' },
          { id: 'q', use: 'x.y@1' },
        ],
        edges: ['p -> q'],
      },
    },
    { id: 'c', use: 'x.y@1' },
  ],
  edges: ['a -> b', 'a -> each', 'b.error -> each', 'each -> c', 'c -> b'],
};
const ids = (nodes: readonly { id: string }[]) => nodes.map((node) => node.id);

describe('what is around a node', () => {
  test('its neighbours, each once', () => {
    expect(ids(neighbours(graph, 'each').before)).toEqual(['a', 'b']);
    expect(ids(neighbours(graph, 'each').after)).toEqual(['c']);
    expect(edgesInto(graph, 'each').map((edge) => edge.sourcePort)).toEqual([null, 'error']);
  });

  test('all that leads to it, the nearest first, out of bodies too, and through loops', () => {
    expect(ids(ancestors(graph, 'c'))).toEqual(['each', 'a', 'b']);
    expect(ids(ancestors(graph, 'q'))).toEqual(['p', 'a', 'b', 'c']);
  });
});

describe('problems', () => {
  const problem = (path: (string | number)[]): Problem => ({
    code: 'x',
    severity: 'error',
    message: path.join('/'),
    hint: '',
    where: {} as Problem['where'],
    path,
  });
  const checked = {
    graph,
    problems: [
      problem(['nodes', 0, 'with', 'url']),
      problem(['nodes', 0, 'with', 'rules', 1, 'when']),
      problem(['nodes', 2, 'body', 'nodes', 1, 'with', 'url']),
      problem(['nodes', 0]),
    ],
  };
  const at = (node: string, field: string, inside: boolean) =>
    problemsAt(checked, node, field, inside).map((one) => one.message);

  test('stand at their field, in bodies too', () => {
    expect(at('a', 'with/url', true)).toEqual(['nodes/0/with/url']);
    expect(at('q', 'with/url', true)).toEqual(['nodes/2/body/nodes/1/with/url']);
    expect(at('a', '', false)).toEqual(['nodes/0']);
  });

  test('inside of a field they show where they are asked for', () => {
    expect(at('a', 'with/rules', false)).toEqual([]);
    expect(at('a', 'with/rules', true)).toEqual(['nodes/0/with/rules/1/when']);
    expect(problemsAt(null, 'a', '', true)).toEqual([]);
  });
});

describe('pins', () => {
  test('are lists of objects; anything else is said', () => {
    expect(readItems('[{"a": 1}]').items).toEqual([{ a: 1 }]);
    expect(readItems('[1]').items).toBeNull();
    expect(readItems('{"a": 1}').error).not.toBe('');
    expect(readItems('[{').error).not.toBe('');
  });
});

test('values are the same whatever the order of their fields', () => {
  expect(same({ a: 1, b: [1, { c: null }] }, { b: [1, { c: null }], a: 1 })).toBe(true);
  expect(same({ a: 1 }, { a: 1, b: 2 })).toBe(false);
  expect(same([1], { 0: 1 })).toBe(false);
});
