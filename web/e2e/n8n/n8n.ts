/** A real n8n beside the designer: started with a folder of its own, asked through its API for what came of a task. */

import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import type { BrowserContext, Page } from '@playwright/test';

export const VERSION = '2.41.1';
const INSTALLED = path.join(
  process.env.XDG_CACHE_HOME ?? path.join(homedir(), '.cache'),
  'pyagent',
  `n8n-${VERSION}`,
  'node_modules',
);
const OWNER = { email: 'ada@example.com', firstName: 'Ada', lastName: 'Lovelace', password: 'Only-here-1' };
const BROWSER = { 'browser-id': 'compare' };

/** Whether it is installed, with Node 24 and a built sqlite3. */
export function isInstalled(): boolean {
  return ['n8n/bin/n8n', 'node/bin/node', 'sqlite3/build/Release/node_sqlite3.node'].every((part) =>
    existsSync(path.join(INSTALLED, part)),
  );
}

export interface Workflow {
  readonly nodes: readonly { readonly name: string; readonly parameters: Record<string, unknown> }[];
  readonly connections: Record<string, { main: { node: string }[][] }>;
  readonly pinData: Record<string, unknown[]> | null;
}

export class N8n {
  readonly url: string;
  private readonly child: ChildProcess;
  private page: Page | null = null;

  private constructor(url: string, child: ChildProcess) {
    this.url = url;
    this.child = child;
  }

  /** Start it with its data in a folder, and wait until it answers. */
  static async start(folder: string, port: number): Promise<N8n> {
    const child = spawn(path.join(INSTALLED, 'node/bin/node'), [path.join(INSTALLED, 'n8n/bin/n8n'), 'start'], {
      cwd: folder,
      env: {
        PATH: process.env.PATH,
        HOME: folder,
        N8N_USER_FOLDER: folder,
        N8N_LISTEN_ADDRESS: '127.0.0.1',
        N8N_PORT: String(port),
        N8N_RUNNERS_BROKER_PORT: String(port + 1),
        N8N_DIAGNOSTICS_ENABLED: 'false',
        N8N_VERSION_NOTIFICATIONS_ENABLED: 'false',
        N8N_TEMPLATES_ENABLED: 'false',
        N8N_PERSONALIZATION_ENABLED: 'false',
        N8N_SECURE_COOKIE: 'false',
        N8N_DISABLED_MODULES: 'mcp-registry,insights,chat-hub,instance-ai,agents',
        N8N_ENCRYPTION_KEY: 'compare',
        TZ: 'UTC',
        GENERIC_TIMEZONE: 'UTC',
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    await new Promise<void>((resolve, reject) => {
      let said = '';
      const read = (data: Buffer) => {
        said += data.toString();
        if (said.includes('Editor is now accessible')) resolve();
      };
      child.stdout?.on('data', read);
      child.stderr?.on('data', read);
      child.once('exit', (code) => reject(new Error(`n8n ended with ${code}:\n${said}`)));
    });
    return new N8n(`http://127.0.0.1:${port}`, child);
  }

  async stop(): Promise<void> {
    if (this.child.exitCode !== null) return;
    const gone = new Promise((resolve) => this.child.once('exit', resolve));
    this.child.kill('SIGTERM');
    await gone;
  }

  /** A page of its owner. */
  async open(context: BrowserContext): Promise<Page> {
    const page = await context.newPage();
    await page.addInitScript((id) => localStorage.setItem('n8n-browserId', id), BROWSER['browser-id']);
    await page.request.post(`${this.url}/rest/owner/setup`, { data: OWNER, headers: BROWSER });
    await page.request.post(`${this.url}/rest/login`, {
      data: { emailOrLdapLoginId: OWNER.email, password: OWNER.password },
      headers: BROWSER,
    });
    this.page = page;
    return page;
  }

  async ask<T>(method: 'GET' | 'POST', address: string, data?: unknown): Promise<T> {
    const answer = await this.page?.request.fetch(`${this.url}/rest${address}`, { method, data, headers: BROWSER });
    if (!answer?.ok()) throw new Error(`${method} ${address}: ${answer?.status()} ${await answer?.text()}`);
    return ((await answer.json()) as { data: T }).data;
  }

  /** The workflow as it is stored: it saves by itself. */
  workflow(id: string): Promise<Workflow> {
    return this.ask('GET', `/workflows/${id}`);
  }
}
