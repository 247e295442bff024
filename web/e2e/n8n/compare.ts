/** The commonest things one does, in the designer and in n8n: how many clicks and keys each takes. */

import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Page } from '@playwright/test';
import { test as base, expect, type Server } from '../fixtures';
import { Hand } from './hand';
import { isInstalled, N8n, VERSION } from './n8n';
import { TASKS } from './tasks';

const ROOT = path.resolve(import.meta.dirname, '../../..');
const TABLE = path.join(ROOT, 'docs/designer-beside-n8n.md');
const READS = (name: string) => `{{ $('${name}').item.json.name }}`;

const graph = (id: string, reads: string) => `\
pyagent: 1
id: ${id}
name: ${id}
nodes:
  - {id: start, use: flow.manual@1, name: Start}
  - {id: person, use: data.set@1, name: Person, with: {fields: {name: Ada, n: 3}}}
  - {id: greet, use: data.set@1, name: Greet, with: {fields: {text: "${READS(reads)}"}}}
  - {id: limit, use: data.limit@1, name: Limit}
  - {id: end, use: flow.noop@1, name: End}
edges: [start -> person, person -> greet, greet -> limit, limit -> end]
layout: {start: [0, 0], person: [220, 0], greet: [440, 0], limit: [660, 0], end: [880, 0]}
`;

const flow = (name: string, reads: string) => {
  const kinds: [string, string, number, object][] = [
    ['Start', 'manualTrigger', 1, {}],
    ['Person', 'set', 3.4, { mode: 'raw', jsonOutput: '{"name": "Ada", "n": 3}', options: {} }],
    [
      'Greet',
      'set',
      3.4,
      {
        assignments: { assignments: [{ id: 'a', name: 'text', value: `=${READS(reads)}`, type: 'string' }] },
        options: {},
      },
    ],
    ['Limit', 'limit', 1, {}],
    ['End', 'noOp', 1, {}],
  ];
  const nodes = kinds.map(([title, type, typeVersion, parameters], at) => ({
    id: `${at}`,
    name: title,
    type: `n8n-nodes-base.${type}`,
    typeVersion,
    position: [at * 220, 0],
    parameters,
  }));
  const connections = Object.fromEntries(
    nodes.slice(1).map((node, at) => [nodes[at]?.name, { main: [[{ node: node.name, type: 'main', index: 0 }]] }]),
  );
  return { name, nodes, connections, settings: {} };
};

type Count = Pick<Hand, 'clicks' | 'keys' | 'all'>;

interface Row {
  readonly task: string;
  readonly ours: Count;
  readonly theirs: Count;
}

const test = base.extend<Record<never, never>, { n8n: N8n }>({
  n8n: [
    // biome-ignore lint/correctness/noEmptyPattern: Playwright reads what a fixture needs from this pattern
    async ({}, use) => {
      const folder = await mkdtemp(path.join(tmpdir(), 'n8n-'));
      const n8n = await N8n.start(folder, await freePort());
      await use(n8n);
      await n8n.stop();
      await rm(folder, { recursive: true, force: true });
    },
    { scope: 'worker', timeout: 300_000 },
  ],
});

/** What was counted; in a file, as a task that is tried again is done by another worker. */
const COUNTED = path.join(ROOT, 'web/node_modules/.cache/n8n-counted.json');
const readRows = async () => JSON.parse(await readFile(COUNTED, 'utf8')) as Row[];
const count = ({ clicks, keys, all }: Hand): Count => ({ clicks, keys, all });

test.describe.configure({ mode: 'default' });
test.skip(!isInstalled(), `n8n ${VERSION} is not installed`);

for (const [at, task] of TASKS.entries()) {
  test(task.name, async ({ page, server, n8n, browser }) => {
    const reads = task.broken ? 'Persn' : 'Person';
    const id = `task_${at}`;
    const ours = new Hand(page);
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
    if (!task.fresh) await prepare(server, page, id, reads, !task.broken);
    await task.ours(ours, { page, server, id });

    const context = await browser.newContext({
      viewport: { width: 1440, height: 900 },
      permissions: ['clipboard-read', 'clipboard-write'],
    });
    const other = await n8n.open(context);
    const flowId = task.fresh ? '' : await prepareThere(n8n, other, id, reads, !task.broken);
    if (task.fresh) {
      // Without any flow its home offers other things than a new one.
      await n8n.ask('POST', '/workflows', flow('other', 'Person'));
      await other.goto(`${n8n.url}/home/workflows`);
    }
    const theirs = new Hand(other);
    await task.theirs(theirs, { page: other, n8n, id: flowId });
    await context.close();

    const before = at === 0 ? [] : await readRows();
    await writeFile(
      COUNTED,
      JSON.stringify([...before, { task: task.name, ours: count(ours), theirs: count(theirs) }]),
    );
    expect(ours.all, `${task.name}: ours ${ours.all}, theirs ${theirs.all}`).toBeLessThanOrEqual(theirs.all);
  });
}

test('fewer in most, and the table says so', async () => {
  const rows = await readRows();
  expect(rows).toHaveLength(TASKS.length);
  const fewer = rows.filter(({ ours, theirs }) => ours.all < theirs.all).length;
  expect(fewer).toBeGreaterThan(TASKS.length / 2);
  const text = await readFile(TABLE, 'utf8');
  await writeFile(
    TABLE,
    text.replace(/<!-- table -->[\s\S]*<!-- end -->/, `<!-- table -->\n${table(rows)}\n<!-- end -->`),
  );
});

function table(rows: readonly Row[]): string {
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: ROOT, encoding: 'utf8' }).trim();
  const sum = (hands: readonly Count[]) => hands.reduce((all, hand) => all + hand.all, 0);
  const cell = (hand: Count) => `${hand.all} (${hand.clicks} + ${hand.keys})`;
  return [
    `Taken on ${new Date().toISOString().slice(0, 10)} with PyAgent at ${commit} and n8n ${VERSION}.`,
    '',
    '| Task | PyAgent: all (clicks + keys) | n8n: all (clicks + keys) |',
    '|---|---|---|',
    ...rows.map(({ task, ours, theirs }) => `| ${task} | ${cell(ours)} | ${cell(theirs)} |`),
    `| **Together** | **${sum(rows.map((row) => row.ours))}** | **${sum(rows.map((row) => row.theirs))}** |`,
  ].join('\n');
}

/** A flow that has run once and is opened again; one more version is behind it. */
async function prepare(server: Server, page: Page, id: string, reads: string, run: boolean): Promise<void> {
  await server.request('POST', '/api/v1/graphs', { text: graph(id, reads) });
  if (run) {
    const { id: made } = (await server.request('POST', '/api/v1/runs', { graph: id })) as { id: string };
    await expect
      .poll(async () => ((await server.request('GET', `/api/v1/runs/${made}`)) as { status: string }).status)
      .toBe('completed');
  }
  if (id === `task_${TASKS.length - 1}`) {
    const { text_hash } = (await server.request('GET', `/api/v1/graphs/${id}`)) as { text_hash: string };
    const text = graph(id, reads).replace(
      '  - {id: end,',
      '  - {id: more, use: flow.noop@1, name: More}\n  - {id: end,',
    );
    await server.request('PUT', `/api/v1/graphs/${id}`, { text, base: text_hash });
  }
  await page.goto(`${server.url}/#/graphs/${id}`);
  await expect(page.locator('.react-flow__node').first()).toBeVisible();
}

async function prepareThere(n8n: N8n, page: Page, name: string, reads: string, run: boolean): Promise<string> {
  const { id } = await n8n.ask<{ id: string }>('POST', '/workflows', flow(name, reads));
  const there = page.locator('[data-test-id="canvas-node"]');
  await page.goto(`${n8n.url}/workflow/${id}`);
  await there.first().waitFor();
  if (run) {
    await page.locator('[data-test-id="execute-workflow-button"]').click();
    await page.locator('[data-test-id="canvas-node-status-success"]').nth(4).waitFor();
  }
  if (name === `task_${TASKS.length - 1}`) {
    await page.locator('[data-test-id="canvas-node"][data-node-name="End"]').click();
    await page.keyboard.press('Delete');
    await expect.poll(async () => (await n8n.workflow(id)).nodes.length).toBe(4);
  }
  await page.reload();
  await there.first().waitFor();
  const told = page.getByRole('button', { name: 'Got it' });
  if (await told.isVisible()) await told.click();
  return id;
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}
