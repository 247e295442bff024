import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { clipOf, duplicated, pasted, readClip } from './copy';
import { setColor, setFrame, setNote } from './decorate';
import { connect, disconnect, insertOnEdge, reconnect } from './edges';
import { begin, edited, redone, undone } from './history';
import { freshId, slug } from './ids';
import type { Edit, GraphSpec, Level, NodeSpec } from './model';
import { parseEdge } from './model';
import { addNode, moveNodes, removeNodes, setField, setPins, toggleDisabled } from './nodes';
import { align, columnsOf, distribute, placesAt } from './place';
import { bodyAt, edgesAt, nodesAt, placesOf } from './read';
import { renameId, renameNode } from './rename';

const graph: GraphSpec = {
  pyagent: 1,
  id: 'sample',
  outputs: { last: "{{ $('Store it').first().json }}" },
  nodes: [
    { id: 'start', use: 'flow.manual@1' },
    { id: 'fetch', use: 'io.http@1', name: 'Fetch', with: { url: 'https://example.org' } },
    {
      id: 'each',
      use: 'flow.map@1',
      body: {
        nodes: [
          { id: 'inner', use: 'flow.noop@1' },
          { id: 'second', use: 'data.set@1', with: { fields: "{{ $('Fetch').first().json.a }}" } },
        ],
        edges: ['inner -> second'],
      },
    },
    { id: 'store', use: 'io.write_file@1', name: 'Store it', with: { text: '{{ $node["Fetch"].json }} $(\'Fetch\')' } },
  ],
  edges: ['start -> fetch', 'fetch -> each', 'each -> store'],
  layout: { start: [0, 0], fetch: [200, 0], each: [400, 0], store: [600, 0], inner: [0, 0] },
  pins: { fetch: [{ json: { a: 1 } }] },
  canvas: { colors: { inner: 'red' }, notes: { note: { text: 'Hello', at: [0, 100], size: [100, 50] } } },
};
// A file may say more than this designer knows.
const withUnknown = {
  ...graph,
  nodes: graph.nodes.map((node) => ({ ...node, x_unknown: node.id })),
  x_more: 1,
} as GraphSpec;

const place = (of: GraphSpec) => (id: string) => placesAt(of, null).get(id) ?? ([0, 0] as const);
const choosing = (...nodes: string[]) => ({
  nodes: new Set(nodes),
  notes: new Set<string>(),
  frames: new Set<string>(),
});

describe('nodes', () => {
  test('a node that is removed takes its edges, place, pins and colours along, those in its body too', () => {
    const after = removeNodes(['each', 'fetch'])(graph);
    expect(after.edges).toBeUndefined();
    expect(after.layout).toEqual({ start: [0, 0], store: [600, 0] });
    expect(after.pins).toBeUndefined();
    expect(after.canvas?.colors).toBeUndefined();
    expect(after.canvas?.notes).toBe(graph.canvas?.notes);
  });

  test('an id is made from a name and is not taken', () => {
    expect(slug('HTTP Request!')).toBe('http_request');
    expect(slug('Größe 2')).toBe('gro_e_2');
    expect(freshId(graph, 'fetch')).toBe('fetch_2');
  });

  test('switching off is switching on again where all are off', () => {
    const off = toggleDisabled(['start', 'fetch'])(graph);
    expect(placesOf(off).get('fetch')?.node.disabled).toBe(true);
    expect(toggleDisabled(['start', 'fetch'])(off)).toEqual(graph);
  });

  test('an edit that changes nothing gives the same graph', () => {
    expect(removeNodes(['nothing'])(graph)).toBe(graph);
    expect(moveNodes(new Map([['start', [0, 0]]]))(graph)).toBe(graph);
    expect(setField('fetch', 'name', 'Fetch')(graph)).toBe(graph);
    expect(connect(null, { source: 'start', sourcePort: null, target: 'fetch', targetPort: null })(graph)).toBe(graph);
    expect(renameNode('fetch', 'Fetch ')(graph)).toBe(graph);
  });
});

describe('edges', () => {
  test('an edge cannot lead out of its level', () => {
    const edge = { source: 'start', sourcePort: null, target: 'inner', targetPort: null };
    expect(connect(null, edge)(graph)).toBe(graph);
    expect(connect('each', edge)(graph)).toBe(graph);
  });

  test('an edge that leads elsewhere keeps its place', () => {
    const after = reconnect(null, 'fetch -> each', {
      source: 'fetch',
      sourcePort: null,
      target: 'store',
      targetPort: null,
    })(graph);
    expect(after.edges).toEqual(['start -> fetch', 'fetch -> store', 'each -> store']);
  });

  test('a node on an edge passes on what came over it', () => {
    const node = { id: 'wait', use: 'flow.wait@1' };
    const after = insertOnEdge(null, 'fetch -> each', node, [300, 0])(graph);
    expect(after.edges).toEqual(['start -> fetch', 'fetch -> wait', 'wait -> each', 'each -> store']);
  });
});

describe('renaming', () => {
  test('expressions that say the old name follow, other text does not', () => {
    const after = renameNode('fetch', `Get "it"`)(graph);
    expect(placesOf(after).get('store')?.node.with?.text).toBe(`{{ $node["Get \\"it\\""].json }} $('Fetch')`);
    expect(placesOf(after).get('second')?.node.with?.fields).toBe(`{{ $('Get "it"').first().json.a }}`);
    expect(placesOf(after).has('fetch')).toBe(true);
  });

  test('expressions say the id where the new name would mean another node', () => {
    const after = renameNode('fetch', 'store')(graph);
    expect(placesOf(after).get('second')?.node.with?.fields).toBe("{{ $('fetch').first().json.a }}");
  });

  test('another id is there everywhere', () => {
    const named = setField('store', 'with', { text: "{{ $('fetch').all() }}" })(graph);
    const after = renameId('fetch', 'download')(named);
    expect(after.edges).toEqual(['start -> download', 'download -> each', 'each -> store']);
    expect(after.layout).toHaveProperty('download', [200, 0]);
    expect(after.pins).toHaveProperty('download');
    expect(placesOf(after).get('store')?.node.with?.text).toBe("{{ $('download').all() }}");
    expect(renameId('fetch', 'store')(graph)).toBe(graph);
    expect(renameId('fetch', 'Not an id')(graph)).toBe(graph);
  });
});

describe('copies', () => {
  test('a copy has ids and names of its own, and expressions of it name each other', () => {
    const made = duplicated(graph, null, choosing('fetch', 'each'), place(graph));
    expect(made.nodes).toEqual(['fetch_2', 'each_2']);
    const copy = placesOf(made.graph).get('each_2')?.node;
    expect(copy?.body?.edges).toEqual(['inner_2 -> second_2']);
    expect(copy?.body?.nodes?.[1]?.with?.fields).toBe("{{ $('Fetch 2').first().json.a }}");
    expect(made.graph.edges).toContain('fetch_2 -> each_2');
    expect(made.graph.pins).toHaveProperty('fetch_2');
  });

  test('what is copied can be pasted in another graph as text', () => {
    const clip = readClip(JSON.stringify(clipOf(graph, null, choosing('fetch', 'each'), place(graph))));
    const other: GraphSpec = { pyagent: 1, id: 'other', nodes: [] };
    const made = clip && pasted(other, null, clip, [1000, 500]);
    expect(made?.graph.nodes.map((node) => node.id)).toEqual(['fetch', 'each']);
    expect(made?.graph.edges).toEqual(['fetch -> each']);
  });

  test('garbage is no clip', () => {
    const texts = ['', 'hello', '{}', '[]', 'null', '{"pyagent_clip":1}', '{"pyagent_clip":1,"nodes":[1],"edges":[]}'];
    for (const text of texts) expect(readClip(text)).toBeNull();
    const twice = { pyagent_clip: 1, nodes: [graph.nodes[0], graph.nodes[0]], edges: [] };
    expect(readClip(JSON.stringify(twice))).toBeNull();
    fc.assert(fc.property(fc.string(), (text) => readClip(text) === null));
    fc.assert(fc.property(fc.json(), (text) => readClip(text) === null));
  });
});

describe('places', () => {
  const box = (left: number, top: number) => ({ left, top, right: left + 160, bottom: top + 56 });
  const boxes = new Map([
    ['start', box(0, 0)],
    ['fetch', box(210, 40)],
    ['store', box(600, 90)],
  ]);

  test('aligned nodes have one side in common', () => {
    expect(align(boxes, 'top')(graph).layout).toMatchObject({ start: [0, 0], fetch: [210, 0], store: [600, 0] });
    expect(align(boxes, 'right')(graph).layout).toMatchObject({ start: [600, 0], fetch: [600, 40], store: [600, 90] });
  });

  test('distributed nodes have the same room between them', () => {
    expect(distribute(boxes, 'across')(graph).layout).toMatchObject({
      start: [0, 0],
      fetch: [300, 40],
      store: [600, 90],
    });
  });

  test('nodes without a place stand in columns after what leads to them, loops or not', () => {
    const { layout: _, ...bare } = graph;
    const looped: GraphSpec = { ...bare, edges: [...(graph.edges ?? []), 'store -> fetch'] };
    const columns = columnsOf(looped, null);
    expect(['start', 'fetch', 'each', 'store'].map((id) => columns.get(id))).toEqual([0, 1, 2, 3]);
    expect(placesAt(looped, null).size).toBe(4);
  });
});

/** Any edit, with whatever it may be asked for. */
function anyEdit(): fc.Arbitrary<Edit> {
  const id = fc.constantFrom('start', 'fetch', 'each', 'store', 'inner', 'second', 'new', 'fetch_2', 'nobody');
  const name = fc.constantFrom('Fetch', 'Store it', 'Other', 'fetch', '', '__proto__', "it's");
  const level: fc.Arbitrary<Level> = fc.constantFrom(null, 'each', 'fetch', 'nobody');
  const point = fc.tuple(fc.integer({ min: -999, max: 999 }), fc.integer({ min: -999, max: 999 }));
  const edge = fc.record({
    source: id,
    sourcePort: fc.constantFrom(null, 'error'),
    target: id,
    targetPort: fc.constantFrom(null, 'other'),
  });
  const text = fc.constantFrom(...(graph.edges ?? []), 'inner -> second', 'nobody -> fetch');
  const ids = fc.array(id, { maxLength: 3 });
  return fc.oneof(
    fc.tuple(level, id, point).map(([at, one, to]) => addNode(at, { id: one, use: 'flow.noop@1' }, to)),
    ids.map((all) => removeNodes(all)),
    fc.tuple(level, edge).map(([at, one]) => connect(at, one)),
    fc.tuple(level, text).map(([at, one]) => disconnect(at, [one])),
    fc.tuple(level, text, edge).map(([at, one, to]) => reconnect(at, one, to)),
    fc.tuple(level, text, id).map(([at, one, to]) => insertOnEdge(at, one, { id: to, use: 'flow.noop@1' }, [0, 0])),
    fc.tuple(id, name).map(([one, to]) => renameNode(one, to)),
    fc.tuple(id, id).map(([one, to]) => renameId(one, to)),
    ids.map((all) => toggleDisabled(all)),
    fc.tuple(id, point).map(([one, to]) => moveNodes(new Map([[one, to]]))),
    fc.tuple(id, fc.boolean()).map(([one, pin]) => setPins(one, pin ? [{ json: {} }] : undefined)),
    fc.boolean().map((set) => setNote('one', set ? { text: 'x', at: [0, 0], size: [1, 1] } : undefined)),
    fc.boolean().map((set) => setFrame('one', set ? { title: 'x', at: [0, 0], size: [1, 1] } : undefined)),
    ids.map((all) => setColor({ nodes: all, notes: ['note'], frames: [] }, 'blue')),
    fc.tuple(level, ids).map(
      ([at, all]): Edit =>
        (old) =>
          duplicated(old, at, choosing(...all), place(old)).graph,
    ),
  );
}

/** Nodes of all levels, each as often as it is there. */
function everyNode(of: readonly NodeSpec[]): NodeSpec[] {
  return of.flatMap((node) => [node, ...everyNode(node.body?.nodes ?? [])]);
}

describe('any edits', () => {
  test('undone they leave the graph as it was, redone they come back', () => {
    fc.assert(
      fc.property(fc.array(anyEdit(), { maxLength: 12 }), (edits) => {
        const first = begin(withUnknown);
        const last = edits.reduce((at, edit, index) => edited(at, edit, `Edit ${index}`), first);
        let back = last;
        while (back.past.length) back = undone(back);
        expect(back.graph).toBe(withUnknown);
        let again = back;
        while (again.future.length) again = redone(again);
        expect(again.graph).toBe(last.graph);
      }),
    );
  });

  test('keep ids unique, edges within their level, and fields that the designer does not know', () => {
    fc.assert(
      fc.property(fc.array(anyEdit(), { maxLength: 12 }), (edits) => {
        const after = edits.reduce((at, edit) => edit(at), withUnknown);
        const all = everyNode(after.nodes);
        expect(new Set(all.map((node) => node.id)).size).toBe(all.length);
        for (const level of [null, ...all.map((node) => node.id)]) {
          const own = new Set(nodesAt(after, level).map((node) => node.id));
          expect(edgesAt(after, level)).toHaveLength((bodyAt(after, level).edges ?? []).length);
          for (const text of bodyAt(after, level).edges ?? []) {
            const edge = parseEdge(text);
            expect(edge && own.has(edge.source) && own.has(edge.target)).toBe(true);
          }
        }
        expect(after).toHaveProperty('x_more', 1);
        for (const node of after.nodes) {
          const known = graph.nodes.some((one) => one.use === node.use) && node.use !== 'flow.noop@1';
          if (known) expect(node).toHaveProperty('x_unknown');
        }
        for (const id of Object.keys(after.layout ?? {})) expect(placesOf(after).has(id)).toBe(true);
      }),
    );
  });

  test('give graphs that are plain data: as JSON they are the same', () => {
    fc.assert(
      fc.property(fc.array(anyEdit(), { maxLength: 6 }), (edits) => {
        const after = edits.reduce((at, edit) => edit(at), graph);
        expect(JSON.parse(JSON.stringify(after))).toEqual(after);
      }),
    );
  });
});
