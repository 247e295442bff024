import { describe, expect, test } from 'vitest';
import { isRefusal } from './cut';
import { extracted, inlined } from './extract';
import type { GraphSpec } from './model';
import { placesOf } from './read';

const graph: GraphSpec = {
  pyagent: 1,
  id: 'sample',
  outputs: { last: "{{ $('d').first().json }}" },
  nodes: [
    { id: 'a', use: 'flow.manual@1' },
    { id: 'b', use: 'flow.noop@1', join: 'any' },
    { id: 'c', use: 'data.set@1', with: { fields: { x: "{{ $('a').first().json }}" } } },
    { id: 'd', use: 'flow.noop@1' },
  ],
  edges: ['a -> b', 'b -> c', 'c -> d'],
  layout: { a: [0, 0], b: [200, 0], c: [400, 0], d: [600, 0] },
};
const about = ({ id }: { id: string }) => ({ outputs: ['out'], trigger: id === 'a' });
const take = (of: GraphSpec, ...ids: string[]) => extracted(of, null, new Set(ids), about, 'Steps', [300, 0]);

describe('extracting', () => {
  test('a chain goes into the body of a map that takes all items at once', () => {
    const moved = take(graph, 'b', 'c');
    if (isRefusal(moved)) throw new Error(moved.reason);
    expect(moved.graph.edges).toEqual(['a -> steps', 'steps -> d']);
    const map = placesOf(moved.graph).get('steps')?.node;
    expect(map).toMatchObject({ use: 'flow.map@1', with: { batch: 1_000_000 }, join: 'any' });
    expect(map?.body?.edges).toEqual(['b -> c']);
    expect(map?.body?.nodes?.[0]).not.toHaveProperty('join');
  });

  test('and back it is the same graph', () => {
    const moved = take(graph, 'b', 'c');
    if (isRefusal(moved)) throw new Error(moved.reason);
    const back = inlined(moved.graph, 'steps', about);
    if (isRefusal(back)) throw new Error(back.reason);
    expect(back.graph).toEqual({ ...graph, edges: ['a -> b', 'c -> d', 'b -> c'] });
  });

  test('what would mean something else is refused, with a reason', () => {
    const reason = (moved: ReturnType<typeof take>) => isRefusal(moved) && moved.reason;
    expect(reason(take(graph))).toBe('few');
    expect(reason(take(graph, 'a', 'b'))).toBe('trigger');
    expect(reason(take(graph, 'd'))).toBe('reads');
    expect(reason(take({ ...graph, edges: [...(graph.edges ?? []), 'a -> c'] }, 'b', 'c'))).toBe('entry');
    expect(reason(take({ ...graph, edges: [...(graph.edges ?? []), 'b -> d'] }, 'b', 'c'))).toBe('exit');
    expect(reason(take({ ...graph, edges: [...(graph.edges ?? []), 'd -> b'] }, 'b', 'c'))).toBe('loop');
  });

  test('a map that runs for each item stays one', () => {
    const each: GraphSpec = {
      ...graph,
      nodes: [{ id: 'a', use: 'flow.map@1', body: { nodes: [{ id: 'z', use: 'flow.noop@1' }] } }],
      edges: [],
    };
    expect(inlined(each, 'a', about)).toMatchObject({ reason: 'elements' });
  });
});
