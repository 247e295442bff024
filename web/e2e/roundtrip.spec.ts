import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import fc from 'fast-check';
import { same } from '../src/graph/difference';
import { begin, edited, undone } from '../src/graph/history';
import type { Edit, GraphSpec, NodeSpec } from '../src/graph/model';
import { moveNodes, toggleDisabled } from '../src/graph/nodes';
import { placesAt } from '../src/graph/place';
import { nodesAt, placesOf } from '../src/graph/read';
import { renameNode } from '../src/graph/rename';
import { expect, type Server, test } from './fixtures';

const ROOT = path.resolve(import.meta.dirname, '../..');

interface Details {
  readonly text: string;
  readonly text_hash: string;
  readonly spec: GraphSpec;
}

async function put(server: Server, { text, text_hash }: Details, spec: GraphSpec): Promise<Details> {
  const body = { spec, base: text_hash, base_text: text };
  return (await server.request('PUT', `/api/v1/graphs/${spec.id}`, body)) as Details;
}

/** What the designer does with a graph and takes back leaves its file as it was, to the byte; an edit changes that. */
async function survives(server: Server, before: Details, edit: Edit): Promise<void> {
  const history = edited(begin(before.spec), edit, 'Edit');
  const changed = history.graph;
  const back = undone(history).graph;
  expect((await put(server, before, back)).text).toBe(before.text);
  const after = await put(server, before, changed);
  expect(same(after.spec, changed), `what was edited in ${before.spec.id}, and nothing else`).toBe(true);
  const now = after.text.split('\n');
  const lost = before.text.split('\n').filter((line) => !now.includes(line));
  expect(lost.length, `${before.spec.id}: lines that an edit of one node takes:\n${lost.join('\n')}`).toBeLessThan(4);
}

const NAME = fc.stringMatching(/^[a-z][a-z0-9_]{0,8}$/);
const VALUE = fc.oneof(
  fc.jsonValue({ maxDepth: 2 }),
  fc.constantFrom('yes', '0x1f', '{{ $json.a }}', '# no comment', 'a: b', '- c', 'line\nline\n', ' blank '),
);
const GRAPHS = fc
  .record({
    ids: fc.uniqueArray(NAME, { minLength: 1, maxLength: 8 }),
    values: fc.array(VALUE, { minLength: 8, maxLength: 8 }),
    name: fc.string({ minLength: 1 }),
    links: fc.array(fc.tuple(fc.nat(7), fc.nat(7)), { maxLength: 10 }),
    spots: fc.array(fc.tuple(fc.integer({ min: -999, max: 999 }), fc.integer({ min: -999, max: 999 })), {
      minLength: 8,
      maxLength: 8,
    }),
  })
  .map(({ ids, values, name, links, spots }): Omit<GraphSpec, 'id'> => {
    const nodes = ids.map((id, index): NodeSpec => {
      const value = values[index] as never;
      return { id, use: 'data.set@1', with: { fields: { value } }, ...(index % 3 ? {} : { name: `Node ${id}` }) };
    });
    const edges = links.flatMap(([from, to]) => (ids[from] && ids[to] ? [`${ids[from]} -> ${ids[to]}`] : []));
    return {
      pyagent: 1,
      name,
      nodes,
      ...(edges.length ? { edges: [...new Set(edges)] } : {}),
      layout: Object.fromEntries(ids.map((id, index) => [id, spots[index] ?? [0, 0]])),
    };
  });

test('files that come with the engine are kept to the byte by the designer', async ({ server }) => {
  const nodes = path.join(ROOT, 'nodes/pyagent_nodes');
  const folders = [path.join(ROOT, 'graphs')];
  for (const domain of await readdir(nodes)) folders.push(path.join(nodes, domain, 'examples'));
  let count = 0;
  for (const folder of folders) {
    for (const file of await readdir(folder).catch(() => [])) {
      if (!file.endsWith('.yaml')) continue;
      const text = await readFile(path.join(folder, file), 'utf8');
      const id = /^id: *(\w+)/m.exec(text)?.[1] ?? '';
      await server.write(id, text);
      const details = (await server.request('GET', `/api/v1/graphs/${id}`)) as Details;
      const last = [...placesOf(details.spec).keys()].at(-1) ?? '';
      await survives(server, details, count % 2 ? toggleDisabled([last]) : renameNode(last, 'Another name'));
      count += 1;
    }
  }
  expect(count).toBeGreaterThan(40);
});

test('two hundred graphs of every kind are kept by the designer', async ({ server }) => {
  let count = 0;
  for (const made of fc.sample(GRAPHS, { numRuns: 200, seed: 7 })) {
    const spec = { ...made, id: `made_${count++}` } as GraphSpec;
    const details = (await server.request('POST', '/api/v1/graphs', { spec })) as Details;
    const first = nodesAt(details.spec, null)[0]?.id ?? '';
    const [x, y] = placesAt(details.spec, null).get(first) ?? [0, 0];
    const moved = moveNodes(new Map([[first, [x + 10, y - 5] as const]]));
    await survives(server, details, moved);
  }
});
