import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { GraphSpec, Json } from './model';
import { pinsOf, setColor, setNodeField, setNodePart, setParameter, setPin, valueAt, withValueAt } from './parameters';

const graph: GraphSpec = {
  pyagent: 1,
  id: 'sample',
  nodes: [
    { id: 'fetch', use: 'io.http@1', with: { url: 'http://a', headers: { accept: 'x' }, unknown: [1] } },
    { id: 'each', use: 'flow.map@1', body: { nodes: [{ id: 'inner', use: 'data.set@1' }] } },
  ],
};
const node = (of: GraphSpec, id: string) =>
  [...of.nodes, ...(of.nodes[1]?.body?.nodes ?? [])].find((one) => one.id === id);

describe('parameters', () => {
  test('one is set and the others stay as they are, those nobody knows included', () => {
    const after = setParameter('fetch', ['headers', 'accept'], 'y')(graph);
    expect(node(after, 'fetch')?.with).toEqual({ url: 'http://a', headers: { accept: 'y' }, unknown: [1] });
    expect(node(after, 'fetch')?.with?.unknown).toBe(node(graph, 'fetch')?.with?.unknown);
  });

  test('one of a node in a body is set there', () => {
    const after = setParameter('inner', ['fields', 'a'], 1)(graph);
    expect(after.nodes[1]?.body?.nodes?.[0]?.with).toEqual({ fields: { a: 1 } });
  });

  test('setting what is there already changes nothing', () => {
    expect(setParameter('fetch', ['url'], 'http://a')(graph)).toBe(graph);
    expect(setParameter('fetch', ['method'], undefined)(graph)).toBe(graph);
    expect(setNodeField('fetch', 'notes', undefined)(graph)).toBe(graph);
  });

  test('the last parameter that goes takes the block with it', () => {
    const one: GraphSpec = { ...graph, nodes: [{ id: 'a', use: 'x.y@1', with: { b: 1 } }] };
    expect(setParameter('a', ['b'], undefined)(one).nodes[0]).toEqual({ id: 'a', use: 'x.y@1' });
  });

  test('what was set at a path is read there, and is gone when it is taken away', () => {
    const key = fc.constantFrom('a', 'b', 'c');
    const json = fc.jsonValue({ maxDepth: 2 }) as fc.Arbitrary<Json>;
    fc.assert(
      fc.property(
        fc.dictionary(key, json),
        fc.array(key, { minLength: 1, maxLength: 3 }),
        json,
        (start, path, value) => {
          const objects = path.slice(0, -1).every((_, at) => {
            const there = valueAt(start, path.slice(0, at + 1));
            return there === undefined || (there !== null && typeof there === 'object' && !Array.isArray(there));
          });
          fc.pre(objects);
          const set = withValueAt(start, path, value);
          expect(valueAt(set, path)).toEqual(value);
          expect(valueAt(withValueAt(set, path, undefined), path)).toBeUndefined();
        },
      ),
    );
  });
});

describe('settings and pins', () => {
  test('a group without fields goes', () => {
    const with3 = setNodePart('fetch', 'retry', 'attempts', 3)(graph);
    expect(node(with3, 'fetch')?.retry).toEqual({ attempts: 3 });
    expect(node(setNodePart('fetch', 'retry', 'attempts', undefined)(with3), 'fetch')).not.toHaveProperty('retry');
  });

  test('a colour is set and taken away without a trace', () => {
    const red = setColor('fetch', 'red')(graph);
    expect(red.canvas).toEqual({ colors: { fetch: 'red' } });
    expect(setColor('fetch', undefined)(red)).toEqual(graph);
  });

  test('items of the first port are a plain list; of others, by port', () => {
    const one = setPin('fetch', 'out', 'out', [{ a: 1 }])(graph);
    expect(one.pins).toEqual({ fetch: [{ a: 1 }] });
    const two = setPin('fetch', 'error', 'out', [{ b: 2 }])(one);
    expect(two.pins).toEqual({ fetch: { out: [{ a: 1 }], error: [{ b: 2 }] } });
    expect(pinsOf(two, 'fetch', 'out').error).toEqual([{ b: 2 }]);
    expect(setPin('fetch', 'out', 'out', undefined)(setPin('fetch', 'error', 'out', undefined)(two))).toEqual(graph);
  });
});
