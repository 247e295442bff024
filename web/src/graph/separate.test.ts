import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isRefusal, type Refusal } from './cut';
import { type Dissolved, dissolved } from './dissolve';
import type { GraphSpec, JsonObject, Level, NodeSpec } from './model';
import { nodesAt, placesOf } from './read';
import { type Separated, separated } from './separate';

const PORTS: { readonly [type: string]: readonly string[] } = {
  'flow.if@1': ['true', 'false'],
  'flow.filter@1': ['out', 'rest'],
  'data.unique@1': ['out', 'duplicates'],
  'flow.loop@1': ['loop', 'done'],
};
const about = (node: NodeSpec) => ({
  outputs: [...(PORTS[node.use] ?? ['out']), ...(node.on_error === 'route' ? ['error'] : [])],
  trigger: node.use === 'flow.manual@1',
});
const take = (graph: GraphSpec, level: Level, ...ids: string[]) =>
  separated(graph, level, new Set(ids), about, { id: 'part', name: 'Part', at: [300, 0], result: 'Result' });
const back = ({ graph, node, called }: Separated) => dissolved(graph, node, called, about, 'Result');
function made<T extends object>(of: T | Refusal): T {
  if (isRefusal(of)) throw new Error(`${of.reason}: ${of.names.join(', ')}`);
  return of as T;
}
const node = (id: string, use: string, params?: JsonObject, more: Partial<NodeSpec> = {}): NodeSpec => ({
  id,
  use: `${use}@1`,
  ...(params && { with: params }),
  ...more,
});
const set = (id: string, fields: JsonObject, more: Partial<NodeSpec> = {}) => node(id, 'data.set', { fields }, more);

test('what only looks like a read, in quotes or a comment, is not changed but refused', () => {
  for (const code of ["'see $inputs.rate'", '`see $inputs.rate`', "/* $('a') */ 1", '1 // $inputs.rate']) {
    const graph: GraphSpec = {
      pyagent: 1,
      id: 'quoting',
      inputs: { rate: { type: 'number' } },
      nodes: [set('a', {}), set('b', { said: `{{ ${code} }}` })],
      edges: ['a -> b'],
    };
    expect(take(graph, null, 'b'), code).toMatchObject({ reason: 'quoted', names: ['b', expect.any(String)] });
  }
});

interface Sample {
  readonly graph: GraphSpec;
  readonly inputs: readonly JsonObject[];
}

/** Graphs whose every selection is tried, with inputs that take each of their branches. */
const SAMPLES: readonly Sample[] = [
  {
    graph: {
      pyagent: 1,
      id: 'shop',
      inputs: { orders: { type: 'array' }, rate: { type: 'number', default: 2 } },
      outputs: {
        total: "{{ $('Sum').first().json.total }}",
        texts: "{{ $('say').all().map(item => item.json.text) }}",
        said: "{{ 'In all: ' + $('Sum').first().json.total }}",
      },
      nodes: [
        node('start', 'flow.manual'),
        node('split', 'data.split', { field: 'orders' }, { name: 'Orders' }),
        set('price', { price: '{{ $json.count * $inputs.rate }}' }),
        node('dear', 'flow.filter', { when: '{{ $json.price > 4 }}' }),
        set('say', {
          text: "{{ [$json.name, $json.price, $('Orders').all().length, $('price').item.json.price].join(' ') }}",
          of: "{{ [$('start').first().json.orders, $inputs['rate']].flat().length }}",
        }),
        node(
          'sum',
          'code.javascript',
          {
            code: "return { total: items.reduce((sum, item) => sum + item.price, 0) + $('Orders').all().length }",
          },
          { name: 'Sum' },
        ),
      ],
      edges: ['start -> split', 'split -> price', 'price -> dear', 'dear -> say', 'say -> sum'],
      layout: { start: [0, 0], split: [200, 0], price: [400, 0], dear: [600, 0], say: [800, 0], sum: [1000, 0] },
      canvas: { colors: { dear: 'red' } },
    },
    inputs: [
      {
        orders: [
          { name: 'a', count: 1 },
          { name: 'b', count: 3 },
          { name: 'c', count: 5 },
        ],
      },
      { orders: [{ name: 'a', count: 1 }], rate: 1 },
      { orders: [], rate: 1 },
    ],
  },
  {
    graph: {
      pyagent: 1,
      id: 'branches',
      inputs: { n: { type: 'integer' } },
      outputs: {
        big: "{{ $('big').first().json.size }}",
        small: "{{ $('small').first().json.size }}",
        both: "{{ $('meet').all().map(item => item.json) }}",
        last: "{{ { seen: { n: $('last').first().json } } }}",
      },
      settings: { timezone: 'Europe/Berlin' },
      nodes: [
        set('begin', { n: '{{ $inputs.n }}', hour: "{{ DateTime.fromISO('2026-01-01T00:00:00Z').hour }}" }),
        node('which', 'flow.if', { when: '{{ $json.n > 5 }}' }),
        set('big', { size: "{{ 'big ' + $('begin').first().json.n }}" }),
        set('small', {
          size: 'small',
          at: "{{ DateTime.fromISO('2026-01-01T00:00:00Z').setZone($now.zoneName).hour }}",
        }),
        node('meet', 'flow.noop'),
        set('last', { n: "{{ $('meet').first().json.n }}" }),
      ],
      edges: [
        'begin -> which',
        'which.true -> big',
        'which.false -> small',
        'big -> meet',
        'small -> meet',
        'meet -> last',
      ],
    },
    inputs: [{ n: 3 }, { n: 9 }],
  },
  {
    graph: {
      pyagent: 1,
      id: 'around',
      inputs: { numbers: { type: 'array' }, name: { type: 'string' } },
      outputs: {
        sums: "{{ $('all').all().map(item => item.json.sum) }}",
        each: "{{ $('each').all().map(item => item.json.text) }}",
      },
      nodes: [
        node('split', 'data.split', { field: 'numbers', into: 'n' }),
        node('batches', 'flow.loop', { batch: 2 }),
        node('collect', 'data.aggregate', { fields: ['n'] }),
        set('add', { sum: "{{ $json.n.reduce((a, b) => a + b, 0) + $('split').all().length }}" }),
        node('all', 'flow.noop'),
        {
          ...node('each', 'flow.map'),
          body: {
            nodes: [
              set('double', { twice: "{{ $json.sum * 2 + $('split').first().json.n }}" }),
              set('tell', { text: "{{ $inputs.name + ' ' + $json.twice + ' ' + $('double').first().json.sum }}" }),
            ],
            edges: ['double -> tell'],
          },
        },
      ],
      edges: [
        'split -> batches',
        'batches.loop -> collect',
        'collect -> add',
        'add -> batches',
        'batches.done -> all',
        'all -> each',
      ],
    },
    inputs: [{ numbers: [1, 2, 3, 4, 5], name: 'x' }],
  },
  {
    graph: {
      pyagent: 1,
      id: 'wide',
      inputs: { list: { type: 'array' } },
      outputs: {
        end: "{{ $('end').all().map(item => item.json) }}",
        first: "{{ $('end').first().json.mark ?? 'none' }}",
      },
      nodes: [
        node('split', 'data.split', { field: 'list' }, { name: 'All of it' }),
        node('sort', 'data.sort', { by: [{ field: 'n', order: 'descending' }] }),
        node('which', 'flow.if', { when: '{{ $json.n % 2 === 0 }}' }, { name: 'Even?' }),
        set('even', { mark: "{{ 'even ' + $('sort').item.json.n + ' of ' + $('All of it').all().length }}" }),
        set('odd', { mark: "{{ 'odd ' + $itemIndex + ' ' + $input.all().length }}" }),
        set('fast', { mark: "{{ 'fast ' + $json.n }}" }),
        node('meet', 'flow.noop'),
        node('few', 'flow.filter', { when: '{{ $json.n < 9 }}' }),
        set('from', { from: "{{ $('All of it').item.json.n }}" }),
        node('end', 'data.unique', { by: ['mark'] }),
      ],
      edges: [
        'split -> sort',
        'sort -> which',
        'which.true -> even',
        'which.false -> odd',
        'even -> meet',
        'odd -> meet',
        'split -> fast',
        'fast -> meet',
        'meet -> few',
        'few -> from',
        'from -> end',
      ],
    },
    inputs: [
      { list: [{ n: 1 }, { n: 2 }, { n: 4 }, { n: 3 }, { n: 11 }] },
      { list: [{ n: 1 }] },
      { list: [{ n: 10 }] },
      { list: [] },
    ],
  },
];

interface Tried {
  readonly sample: Sample;
  readonly level: Level;
  readonly ids: readonly string[];
}

function* selections(): Generator<Tried> {
  for (const sample of SAMPLES) {
    const levels: Level[] = [
      null,
      ...[...placesOf(sample.graph).values()].flatMap(({ node }) => (node.body ? [node.id] : [])),
    ];
    for (const level of levels) {
      const ids = nodesAt(sample.graph, level).map((one) => one.id);
      for (let bits = 1; bits < 2 ** ids.length; bits++)
        yield { sample, level, ids: ids.filter((_, index) => bits & (1 << index)) };
    }
  }
}

describe('a graph of its own', () => {
  const graph = SAMPLES[0]?.graph as GraphSpec;

  test('what nodes read outside of themselves is given to it', () => {
    const { graph: caller, called, node: call } = made(take(graph, null, 'price', 'dear', 'say'));
    expect(caller.edges).toEqual(['start -> split', 'split -> part', 'part -> sum']);
    expect(placesOf(caller).get(call)?.node).toEqual({
      id: 'part',
      use: 'flow.graph@1',
      name: 'Part',
      with: {
        graph: 'part',
        inputs: {
          rate: '{{ $inputs.rate }}',
          orders_all: "{{ $('Orders').all() }}",
          start: "{{ $('start').first().json }}",
        },
        items: true,
      },
    });
    expect(caller.layout?.part).toEqual([300, 0]);
    expect(caller.canvas).toBeUndefined();
    expect(caller.outputs?.texts).toBe(
      "{{ $('part').all().length ? ($('part').all().map(item => item.json.text)) : null }}",
    );
    expect(called).toMatchObject({ id: 'part', name: 'Part', canvas: { colors: { dear: 'red' } } });
    expect(called.inputs).toEqual({
      rate: { type: 'number', default: 2 },
      orders_all: { type: 'array' },
      start: { type: 'object' },
    });
    expect(called.nodes[2]?.with).toEqual({
      fields: {
        text: "{{ [$json.name, $json.price, $inputs.orders_all.length, $('price').item.json.price].join(' ') }}",
        of: "{{ [$inputs.start.orders, $inputs['rate']].flat().length }}",
      },
    });
  });

  test('of a node with several ports, what leads on is gathered', () => {
    const nodes = graph.nodes.map((one) => (one.id === 'say' ? set('say', { text: 'x' }) : one));
    const { called } = made(take({ ...graph, nodes }, null, 'price', 'dear'));
    expect(called.edges).toEqual(['price -> dear', 'dear.out -> result']);
    expect(called.nodes.at(-1)).toEqual({ id: 'result', use: 'flow.noop@1', name: 'Result' });
  });

  test('what would mean something else is refused, and names the node', () => {
    const why = (of: ReturnType<typeof take>) => (isRefusal(of) ? `${of.reason}: ${of.names.join(', ')}` : 'made');
    const changed = (id: string, more: Partial<NodeSpec>, rest: Partial<GraphSpec> = {}): GraphSpec => ({
      ...graph,
      nodes: graph.nodes.map((one) => (one.id === id ? { ...one, ...more } : one)),
      ...rest,
    });
    const saying = (text: string) => changed('say', { with: { fields: { text } } });
    expect(why(take(graph, null))).toBe('few: ');
    expect(why(take(graph, null, 'start', 'split'))).toBe('trigger: start');
    expect(why(take(graph, null, 'split', 'dear'))).toBe('entry: Orders, dear');
    expect(why(take(graph, null, 'say'))).toBe('ofItem: say, price');
    expect(why(take(graph, null, 'split', 'price'))).toBe('hidden: say, Orders');
    expect(why(take(graph, null, 'dear', 'say', 'sum'))).toBe('ofItem: say, price');
    expect(why(take({ ...graph, pins: { dear: [{}] } }, null, 'price', 'dear', 'say'))).toBe('pinned: dear');
    expect(why(take(changed('say', { write: { seen: 1 } }), null, 'say'))).toBe('state: say');
    expect(why(take(saying('{{ $state.seen }}'), null, 'say'))).toBe('state: say');
    expect(why(take(saying('{{ $runIndex }}'), null, 'say'))).toBe('context: say, $runIndex');
    expect(why(take(saying('{{ $run.step }}'), null, 'say'))).toBe('context: say, $run');
    expect(why(take(saying('{{ $run.id }}'), null, 'say'))).toBe('made');
    expect(why(take(saying('{{ $($json.name).first() }}'), null, 'say'))).toBe('computed: say');
    expect(why(take(saying('{{ $inputs.nothing }}'), null, 'say'))).toBe('undeclared: say, nothing');
    expect(why(take(changed('say', { use: 'flow.restart@1' }), null, 'say'))).toBe('own: say');
    expect(why(take(changed('sum', { use: 'code.python@1', with: { code: 'return inputs' } }), null, 'sum'))).toBe(
      'own: Sum',
    );
    const branches = SAMPLES[1]?.graph as GraphSpec;
    expect(why(take(branches, null, 'which', 'big'))).toBe('exit: big');
    const late = {
      ...branches,
      nodes: branches.nodes.map((one) =>
        one.id === 'meet' ? set('meet', { s: "{{ $('big').first().json.n }}" }) : one,
      ),
    };
    expect(why(take(late, null, 'meet'))).toBe('mayNotRun: meet, big');
    const whole = saying("{{ [$inputs, $('start').first().json] }}");
    expect(why(take(whole, null, 'say'))).toBe('wholeInputs: say');
    const two = { ...graph, outputs: { text: "Total: {{ $('sum').first().json.total }}" } };
    expect(why(take(two, null, 'price', 'dear', 'say', 'sum'))).toBe('skipped: text, Sum');
  });

  test('and back it is the same graph, whatever was taken out', () => {
    let count = 0;
    for (const { sample, level, ids } of selections()) {
      const there = take(sample.graph, level, ...ids);
      if (isRefusal(there)) continue;
      count++;
      const again = made<Dissolved>(back(there));
      expect(canonical(again.graph), ids.join()).toEqual(canonical(sample.graph));
      expect(new Set(again.nodes)).toEqual(new Set(ids));
    }
    expect(count).toBeGreaterThan(15);
  });

  test('ids and names that the caller has got meanwhile become others, and inputs what was given for them', () => {
    const there = made(take(graph, null, 'price', 'dear', 'say'));
    const call = placesOf(there.graph).get('part')?.node as NodeSpec;
    const inputs = { ...(call.with?.inputs as JsonObject), rate: 7 };
    const crowded: GraphSpec = {
      ...there.graph,
      nodes: [
        ...there.graph.nodes.map((one) => (one === call ? { ...one, with: { ...one.with, inputs } } : one)),
        node('price', 'flow.noop'),
      ],
    };
    const { graph: after } = made<Dissolved>(back({ ...there, graph: crowded }));
    expect(placesOf(after).get('price_2')?.node.with).toEqual({ fields: { price: '{{ $json.count * (7) }}' } });
    expect(JSON.stringify(placesOf(after).get('say')?.node.with)).toContain("$('price_2').item");
  });

  test('reads are found behind three dots, and in braces within braces', () => {
    const text =
      "{{ [...$('start').first().json.orders, {a: {b: 1}}, $('Orders').first().json.n] }} $('start') {{ 1 }}";
    const nodes = graph.nodes.map((one) => (one.id === 'say' ? set('say', { text }) : one));
    const { called } = made(take({ ...graph, nodes }, null, 'say'));
    expect(called.nodes[0]?.with?.fields).toEqual({
      text: "{{ [...$inputs.start.orders, {a: {b: 1}}, $inputs.orders_2.n] }} $('start') {{ 1 }}",
    });
  });

  test('a call that means something else stays', () => {
    const there = made(take(graph, null, 'price', 'dear', 'say'));
    const why = (more: Partial<NodeSpec>, called: Partial<GraphSpec> = {}, rest: Partial<GraphSpec> = {}) => {
      const nodes = there.graph.nodes.map((one) => (one.id === 'part' ? { ...one, ...more } : one));
      const of = back({ ...there, graph: { ...there.graph, nodes, ...rest }, called: { ...there.called, ...called } });
      return isRefusal(of) ? `${of.reason}: ${of.names.join(', ')}` : 'made';
    };
    const given = placesOf(there.graph).get('part')?.node.with as JsonObject;
    const inputs = given.inputs as JsonObject;
    expect(why({})).toBe('made');
    expect(why({ with: { ...given, items: false } })).toBe('kind: ');
    expect(why({ with: { ...given, graph: "{{ 'part' }}" } })).toBe('kind: ');
    expect(why({ on_error: 'continue' })).toBe('settings: Part');
    expect(why({ disabled: true })).toBe('settings: Part');
    expect(why({}, { settings: { timezone: 'Europe/Berlin' } })).toBe('settings: Part');
    expect(why({}, { state: { seen: { type: 'array' } } })).toBe('state: Part');
    expect(why({ with: { ...given, inputs: { ...inputs, rate: '{{ $json.rate }}' } } })).toBe('values: Part, rate');
    expect(why({ with: { ...given, inputs: { ...inputs, rate: 'a {{ 1 }}' } } })).toBe('values: Part, rate');
    expect(why({ with: { ...given, inputs: { ...inputs, rate: { text: 'a }} b' } } } })).toBe('values: Part, rate');
    expect(why({ with: { ...given, inputs: { ...inputs, rate: { a: { b: 1 } } } } })).toBe('made');
    expect(why({}, { nodes: [node('start', 'flow.manual'), ...there.called.nodes] })).toBe('trigger: start');
    expect(why({}, {}, { pins: { part: [{}] } })).toBe('pinned: Part');
  });

  test('a chain of any nodes, cut anywhere, comes back as it was', () => {
    const fields = fc.constantFrom(
      '{{ $json.a }}',
      '{{ $inputs.a }}',
      "{{ $('n0').first().json.b }}",
      "{{ $('First one').all().length + $inputs.a }}",
      "{{ $('n1').last().json }}",
      'plain $inputs.a',
    );
    fc.assert(
      fc.property(fc.array(fields, { minLength: 3, maxLength: 8 }), fc.nat(7), fc.nat(7), (values, one, other) => {
        const chain: GraphSpec = {
          pyagent: 1,
          id: 'chain',
          inputs: { a: {} },
          nodes: values.map((value, index) => set(`n${index}`, { value }, index === 0 ? { name: 'First one' } : {})),
          edges: values.slice(1).map((_, index) => `n${index} -> n${index + 1}`),
          layout: Object.fromEntries(values.map((_, index) => [`n${index}`, [index * 200, 0] as const])),
        };
        const [low, high] = [Math.min(one, other) % values.length, Math.max(one, other) % values.length];
        const ids = chain.nodes.slice(Math.min(low, high), Math.max(low, high) + 1).map((each) => each.id);
        const there = take(chain, null, ...ids);
        if (isRefusal(there)) return;
        expect(canonical(made<Dissolved>(back(there)).graph)).toEqual(canonical(chain));
      }),
    );
  });

  test('what the engine makes of each of them is tried with these pairs', async () => {
    const pairs = [];
    for (const { sample, level, ids } of selections()) {
      const there = take(sample.graph, level, ...ids);
      if (isRefusal(there)) continue;
      pairs.push({ graph: sample.graph.id, taken: ids, caller: there.graph, called: there.called });
    }
    const told = { samples: SAMPLES, pairs };
    await expect(`${JSON.stringify(told, null, 1)}\n`).toMatchFileSnapshot(
      '../../../tests/conformance/separated_graphs.json',
    );
  });
});

/** A graph with its edges in one order, and nodes named by their ids: what comes back may say the same otherwise. */
function canonical(graph: GraphSpec): unknown {
  const names = new Map(
    [...placesOf(graph).values()].flatMap(({ node: one }) => (one.name ? [[one.name, one.id]] : [])),
  );
  const text = JSON.stringify({ ...graph, edges: [...(graph.edges ?? [])].sort(), layout: undefined });
  const said = [...names].reduce((all, [name, id]) => all.replaceAll(`$('${name}')`, `$('${id}')`), text);
  return JSON.parse(said);
}
