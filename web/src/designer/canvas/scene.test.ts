import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { NodeTypeSummary, NodeTypes } from '@/api/nodeTypes';
import { apply, createEditor, graphOf } from '@/editor/store';
import { Grid } from '@/graph/grid';
import type { GraphSpec } from '@/graph/model';
import { moveNodes, setField } from '@/graph/nodes';
import { overlaps } from '@/graph/shape';
import { findIn } from './find';
import { outlineOf } from './outline';
import { edgeBetween } from './ports';
import { cardAt, sceneOf, toolsAt, wireAt } from './scene';
import { ranked } from './search';
import { Statuses } from './status';
import { nextTo } from './walk';
import { inView, stillInView } from './window';

const type = (use: string, ports_in: string[], ports_out: string[] | null, kind = 'action') =>
  [
    use,
    {
      use,
      name: use.replace(/@.*/, ''),
      title: use,
      ports_in,
      ports_out,
      kind,
      icon_svg: '',
    } as unknown as NodeTypeSummary,
  ] as const;
const types: NodeTypes = new Map([
  type('flow.manual@1', [], ['out'], 'trigger'),
  type('flow.if@1', ['in'], ['true', 'false']),
  type('flow.merge@1', ['in', '*'], ['out']),
  type('flow.noop@1', ['in'], ['out']),
]);
const graph: GraphSpec = {
  pyagent: 1,
  id: 'sample',
  nodes: [
    { id: 'start', use: 'flow.manual@1' },
    { id: 'which', use: 'flow.if@1', name: 'Which <b>one</b>', with: { when: '{{ $json.a }}' } },
    { id: 'yes', use: 'flow.noop@1' },
    { id: 'no', use: 'flow.noop@1', notes: 'Nobody comes here' },
    { id: 'both', use: 'flow.merge@1' },
    { id: 'gone', use: 'other.thing@3' },
  ],
  edges: ['start -> which', 'which -> yes', 'which.false -> no', 'yes -> both.yes', 'no -> both.no'],
  layout: { start: [0, 0], which: [220, 0], yes: [440, -60], no: [440, 60], both: [660, 0], gone: [0, 300] },
};
const scene = sceneOf(graph, null, null, types, null);

describe('the scene', () => {
  test('a first port is left out of an edge, and a merge gets a port for each that comes', () => {
    expect(edgeBetween(scene, { node: 'which' }, { node: 'both' })).toMatchObject({
      sourcePort: null,
      targetPort: 'which',
    });
    expect(edgeBetween(scene, { node: 'which', port: 'false' }, { node: 'yes' })).toMatchObject({
      sourcePort: 'false',
      targetPort: null,
    });
    expect(edgeBetween(scene, { node: 'yes' }, { node: 'start' })).toBeNull();
    expect(scene.cards.get('both')?.inputs).toEqual(['yes', 'no']);
  });

  test('a node of a type that is not installed is shown as such', () => {
    expect(scene.cards.get('gone')).toMatchObject({ installed: false, inputs: ['in'], outputs: ['out'] });
  });

  test('what has not changed is the same object, so that it is not drawn again', () => {
    const named = setField('yes', 'name', 'Yes')(graph);
    const next = sceneOf(named, null, null, types, scene);
    expect(next.cards.get('yes')).not.toBe(scene.cards.get('yes'));
    expect(next.cards.get('no')).toBe(scene.cards.get('no'));
    expect(next.cardGrid).toBe(scene.cardGrid);
    expect(next.wires.get('start -> which')).toBe(scene.wires.get('start -> which'));
  });

  test('what moves is found where it is', () => {
    const moved = sceneOf(moveNodes(new Map([['gone', [2000, 2000]]]))(graph), null, null, types, scene);
    expect(cardAt(moved, [2010, 2010])?.id).toBe('gone');
    expect(cardAt(moved, [10, 310])).toBeNull();
    expect(cardAt(scene, [10, 310])?.id).toBe('gone');
    expect(wireAt(scene, [194, 28], 6)?.id).toBe('start -> which');
    expect(wireAt(scene, [194, 228], 6)).toBeNull();
  });

  test('of wires that lie on each other one is meant, and its tools are where no card lies', () => {
    const nodes = ['a', 'b', 'c'].map((id) => ({ id, use: 'flow.noop@1' }));
    const layout = { a: [0, 0], b: [260, 0], c: [520, 0] } as const;
    const edges = ['a -> b', 'b -> c', 'a -> c'];
    const row = sceneOf({ pyagent: 1, id: 'row', nodes, edges, layout }, null, null, types, null);
    expect(wireAt(row, [210, 28], 9)?.id).toBe('a -> b');
    expect(wireAt(row, [210, 28], 9, 'a -> c')?.id).toBe('a -> c');
    const long = row.wires.get('a -> c');
    if (!long) throw new Error('The wire is not there.');
    // Its middle lies behind a card.
    const [x] = toolsAt(row, long, [210, 28], 200);
    expect(x).toBeGreaterThan(168);
    expect(x).toBeLessThan(260);
  });

  test('the keyboard goes along edges and among siblings', () => {
    const walk = (from: string | null, way: 'left' | 'right' | 'up' | 'down') => nextTo(scene, from, way, [0, 0])?.id;
    expect(walk('start', 'right')).toBe('which');
    expect(walk('which', 'right')).toBe('yes');
    expect(walk('yes', 'down')).toBe('no');
    expect(walk('both', 'left')).toBe('yes');
    expect(walk(null, 'right')).toBe('start');
  });

  test('the outline tells the graph in the order of its run', () => {
    const rows = outlineOf(scene);
    const order = rows.map((row) => row.card.id);
    expect(order.indexOf('which')).toBeLessThan(order.indexOf('yes'));
    expect(order.at(-1)).toBe('both');
    expect(rows.find((row) => row.card.id === 'which')?.leads).toEqual(['yes', 'no']);
  });
});

describe('looking for things', () => {
  test('text is found in names, parameters and notes, each node once', () => {
    expect(findIn(graph, '<b>').map((hit) => [hit.id, hit.where])).toEqual([['which', 'name']]);
    expect(findIn(graph, '$json.a').map((hit) => hit.where)).toEqual(['with.when']);
    expect(findIn(graph, 'nobody').map((hit) => hit.where)).toEqual(['notes']);
    expect(findIn(graph, ' ')).toEqual([]);
  });

  test('the beginning of a title is better than its middle', () => {
    const all = ['Wait for it', 'Filter', 'Split files', 'Fail'];
    expect(ranked(all, 'fi', (one) => [one])[0]).toBe('Filter');
    expect(ranked(all, 'wfi', (one) => [one])).toEqual(['Wait for it']);
    expect(ranked(['Start'], 'http', () => ['Start', 'Take what is there, then put it out'])).toEqual([]);
  });
});

describe('what is in view', () => {
  test('of thousands of nodes only those near the view are elements, none where they are too many to read', () => {
    const nodes = Array.from({ length: 5000 }, (_, index) => ({ id: `n${index}`, use: 'flow.noop@1' }));
    const layout = Object.fromEntries(
      nodes.map(({ id }, index) => [id, [(index % 100) * 240, Math.floor(index / 100) * 110] as const]),
    );
    const large = sceneOf({ pyagent: 1, id: 'large', nodes, layout }, null, null, types, null);
    const reading = inView(large, { x: -3000, y: -1000, zoom: 1 }, 1440, 900, new Set(['n0']));
    expect(reading.detailed).toBe(true);
    expect(reading.cards.length).toBeGreaterThan(40);
    expect(reading.cards.length).toBeLessThan(160);
    expect(reading.cards.map((card) => card.id)).toContain('n0');
    expect(inView(large, { x: 0, y: 0, zoom: 0.05 }, 1440, 900, new Set())).toMatchObject({
      detailed: false,
      cards: [],
    });
    expect(stillInView(reading, { x: -3020, y: -1000, zoom: 1 }, 1440, 900)).toBe(true);
    expect(stillInView(reading, { x: -3200, y: -1000, zoom: 1 }, 1440, 900)).toBe(false);
  });

  test('a grid gives exactly what touches a window', () => {
    const box = fc
      .tuple(fc.integer({ min: -5000, max: 5000 }), fc.integer({ min: -5000, max: 5000 }), fc.nat(9000), fc.nat(900))
      .map(([left, top, width, height]) => ({ left, top, right: left + width, bottom: top + height }));
    fc.assert(
      fc.property(fc.array(box, { maxLength: 40 }), box, (boxes, window) => {
        const grid = new Grid<number>();
        for (const [index, one] of boxes.entries()) grid.add(one, index);
        const expected = boxes.flatMap((one, index) => (overlaps(one, window) ? [index] : []));
        expect(grid.in(window).sort((a, b) => a - b)).toEqual(expected);
      }),
    );
  });
});

describe('statuses', () => {
  test('only who shows what has changed hears of it', () => {
    const statuses = new Statuses();
    const status = {
      status: 'running',
      runs: 1,
      items_in: 0,
      items_out: {},
      attempt: 1,
      error: null,
      waiting: null,
      retrying: false,
    };
    const heard: string[] = [];
    statuses.hear('a', () => heard.push('a'));
    statuses.hear('b', () => heard.push('b'));
    const first = new Map([['a', status]]);
    statuses.set(first);
    statuses.set(
      new Map([
        ['a', status],
        ['b', { ...status, status: 'completed' }],
      ]),
    );
    statuses.set(null);
    expect(heard).toEqual(['a', 'b', 'a', 'b']);
    expect(statuses.any).toBe(false);
  });
});

describe('an editor', () => {
  test('keeps what is shown apart from what was saved', () => {
    const editor = createEditor('sample', { text: '', textHash: '', graph });
    apply(editor, 'Name', setField('yes', 'name', 'Yes'));
    expect(editor.getState().saving).toBe('changed');
    expect(graphOf(editor)).not.toBe(graph);
  });
});
