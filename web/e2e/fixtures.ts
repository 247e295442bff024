/** What every browser test has: a real server of its own worker, graphs of its own, and a page that is let in. */

import { type ChildProcess, type SpawnSyncReturns, spawn, spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import AxeBuilder from '@axe-core/playwright';
import { test as base, expect, type Page } from '@playwright/test';

const ROOT = path.resolve(import.meta.dirname, '../..');

/** A running `pyagent serve` with a library folder and a state folder that nobody else has. */
export class Server {
  readonly folder: string;
  url = '';
  private child: ChildProcess | null = null;

  constructor(folder: string) {
    this.folder = folder;
  }

  /** Start it; the port stays the same when it is started again. */
  async start(): Promise<void> {
    const port = this.url ? ['--port', new URL(this.url).port] : ['--port', '0'];
    const child = spawn(path.join(ROOT, '.venv/bin/pyagent'), ['serve', ...port], {
      cwd: this.folder,
      env: { ...process.env, PYAGENT_STORE: `sqlite://${path.join(this.folder, '.pyagent', 'store.db')}`, TZ: 'UTC' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.child = child;
    this.url = new URL(await firstLink(child)).origin;
  }

  /** Stop it and wait until it is gone. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const child = this.child;
    if (!child || child.exitCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await gone;
    this.child = null;
  }

  /** A link that opens the page once. */
  async link(): Promise<string> {
    const { path: address } = (await this.post('/api/v1/links', {})) as { path: string };
    return `${this.url}${address}`;
  }

  /** Ask the API as its owner. */
  async request(method: string, address: string, body?: unknown): Promise<unknown> {
    const answer = await fetch(`${this.url}${address}`, {
      method,
      headers: { Authorization: `Bearer ${await this.token()}`, 'Content-Type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${address}: ${answer.status} ${text}`);
    return text ? JSON.parse(text) : null;
  }

  post(address: string, body: unknown): Promise<unknown> {
    return this.request('POST', address, body);
  }

  /** The path of a graph's file. */
  file(id: string): string {
    return path.join(this.folder, 'graphs', `${id}.yaml`);
  }

  /** Write a graph's file. */
  async write(id: string, text: string): Promise<void> {
    await writeFile(this.file(id), text);
  }

  /** What a graph's file holds. */
  read(id: string): Promise<string> {
    return readFile(this.file(id), 'utf8');
  }

  /** Run `pyagent` in the library's folder. */
  pyagent(...words: readonly string[]): SpawnSyncReturns<string> {
    return spawnSync(path.join(ROOT, '.venv/bin/pyagent'), words, { cwd: this.folder, encoding: 'utf8' });
  }

  private async token(): Promise<string> {
    return (await readFile(path.join(this.folder, '.pyagent', 'server-token'), 'utf8')).trim();
  }
}

function firstLink(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const read = (data: Buffer) => {
      text += data.toString();
      const found = /http:\/\/\S+once=\S+/.exec(text);
      if (found) resolve(found[0]);
    };
    child.stdout?.on('data', read);
    child.stderr?.on('data', read);
    child.once('exit', (code) => reject(new Error(`the server ended with ${code}:\n${text}`)));
  });
}

interface TestFixtures {
  /** A page that has used a link, at the home page. What it says is wrong fails the test. */
  page: Page;
}

export const test = base.extend<TestFixtures, { server: Server }>({
  server: [
    // biome-ignore lint/correctness/noEmptyPattern: Playwright reads what a fixture needs from this pattern
    async ({}, use) => {
      const folder = await mkdtemp(path.join(tmpdir(), 'pyagent-e2e-'));
      const server = new Server(folder);
      await mkdir(path.join(folder, 'graphs'));
      await server.start();
      await use(server);
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    },
    { scope: 'worker' },
  ],
  page: async ({ page, server }, use) => {
    const wrong: string[] = [];
    page.on('pageerror', (error) => wrong.push(`${error}`));
    page.on('console', (message) => {
      if (/Content.Security.Policy|Refused to/.test(message.text())) wrong.push(message.text());
    });
    await page.goto(await server.link());
    // The page of the link goes on by itself.
    await page.waitForURL(`${server.url}/`);
    await page.goto(`${server.url}/#/`);
    await use(page);
    expect(wrong, 'errors of the page').toEqual([]);
  },
});

/** Nothing that axe calls serious or critical is on the page; of these rules, or of all. */
export async function expectAccessible(page: Page, ...rules: string[]): Promise<void> {
  // Without frames of other pages there is nothing to bring together, for which it would open a page each time.
  const axe = new AxeBuilder({ page }).setLegacyMode();
  const found = await (rules.length ? axe.withRules(rules) : axe).analyze();
  const serious = found.violations.filter((one) => one.impact === 'serious' || one.impact === 'critical');
  expect(serious.map((one) => `${one.id}: ${one.nodes.map((node) => node.target.join(' ')).join(', ')}`)).toEqual([]);
}

/** Open a graph in the designer. */
export async function openGraph(page: Page, id: string): Promise<void> {
  await page.goto(`${new URL(page.url()).origin}${new URL(page.url()).pathname}#/graphs/${id}`);
}

export { expect };
