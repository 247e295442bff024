/** The ten commonest things one does in either designer, each by its shortest usual way, and what has to come of it. */

import { expect, type Page } from '@playwright/test';
import type { Server } from '../fixtures';
import type { Hand } from './hand';
import type { N8n, Workflow } from './n8n';

/** Where a task is done: what belongs to the designer, not to the person. */
export interface Ours {
  readonly page: Page;
  readonly server: Server;
  readonly id: string;
}

export interface Theirs {
  readonly page: Page;
  readonly n8n: N8n;
  readonly id: string;
}

export interface Task {
  readonly name: string;
  /** What the flow reads another node by, wrongly. */
  readonly broken?: boolean;
  /** Whether the flow is there; else one begins at home. */
  readonly fresh?: boolean;
  readonly ours: (hand: Hand, at: Ours) => Promise<void>;
  readonly theirs: (hand: Hand, at: Theirs) => Promise<void>;
}

const card = (page: Page, id: string) => page.locator(`.react-flow__node[data-id="${id}"]`);
const box = (page: Page, name: string) => page.locator(`[data-test-id="canvas-node"][data-node-name="${name}"]`);
const ran = (page: Page, name: string) => box(page, name).locator('[data-test-id="canvas-node-status-success"]');
const done = (page: Page, id: string) => card(page, id).locator('[data-tone="done"]').first();

interface Spec {
  readonly nodes: readonly { readonly id: string; readonly name?: string; readonly with?: Record<string, unknown> }[];
  readonly edges?: readonly string[];
  readonly pins?: Record<string, unknown>;
}

async function spec({ page, server, id }: Ours): Promise<Spec> {
  // Saving is not counted on either side: the other one saves by itself, and this one does a moment later.
  await page.keyboard.press('ControlOrMeta+s');
  await expect(page.getByText('Saved', { exact: true })).toBeVisible();
  return ((await server.request('GET', `/api/v1/graphs/${id}`)) as { spec: Spec }).spec;
}

/** What is stored of a flow, as soon as it is. */
function stored<T>({ n8n, id }: Theirs, read: (workflow: Workflow) => T) {
  return expect.poll(async () => read(await n8n.workflow(id)), { timeout: 20_000 });
}

export const TASKS: readonly Task[] = [
  {
    name: 'Build a flow of five nodes, from home',
    fresh: true,
    ours: async (hand, { page, server }) => {
      await hand.click(page.getByRole('button', { name: 'New graph' }));
      await expect(page.getByRole('textbox', { name: 'Name' })).toBeFocused();
      await hand.press('Enter');
      await expect(page.getByRole('region', { name: /^Canvas/ })).toBeVisible();
      const choose = async (search: string) => {
        await expect(page.getByRole('combobox', { name: 'Search for a node to add' })).toBeFocused();
        await hand.type(search);
        await expect(page.getByRole('option').first()).toBeVisible();
        await hand.press('Enter');
      };
      await hand.press('n');
      await choose('start');
      await expect(card(page, 'manual')).toBeVisible();
      await hand.press('n');
      await choose('set fields');
      for (const search of ['limit', 'sort', 'do nothing']) {
        await hand.click(page.getByRole('button', { name: 'Add the next node' }));
        await choose(search);
      }
      await expect(card(page, 'noop')).toBeVisible();
      const id = decodeURIComponent(page.url().split('/graphs/')[1] ?? '');
      const { nodes, edges } = await spec({ page, server, id });
      expect(nodes).toHaveLength(5);
      expect(edges).toHaveLength(4);
    },
    theirs: async (hand, { page, n8n }) => {
      await hand.click(page.getByRole('button', { name: /Create workflow/i }).first());
      await page.locator('[data-test-id="canvas-wrapper"]').waitFor();
      const add = async (search: string) => {
        await hand.press('n');
        await expect(
          page.locator('[data-test-id="node-creator-search-bar"], [data-test-id="node-creator"] input').first(),
        ).toBeVisible();
        await hand.type(search);
        await expect(page.locator('[data-test-id="node-creator-item-name"]').first()).toContainText(
          new RegExp(search.split(' ')[0] ?? '', 'i'),
        );
        await hand.press('Enter');
      };
      await add('manual');
      await expect(page.locator('[data-test-id="canvas-node"]')).toHaveCount(1);
      for (const search of ['edit fields', 'limit', 'sort', 'no operation']) {
        await add(search);
        await page.locator('[data-test-id="ndv"]').waitFor();
        await hand.press('Escape');
        await expect(page.locator('[data-test-id="ndv"]')).toHaveCount(0);
      }
      await expect(page.locator('[data-test-id="canvas-node"]')).toHaveCount(5);
      await expect(page.locator('[data-test-id="edge"]')).toHaveCount(4);
      expect(n8n.url).toBeTruthy();
    },
  },
  {
    name: 'Map a field of the input, and see what it gives, in a flow that has run before',
    ours: async (hand, at) => {
      const { page } = at;
      await hand.doubleClick(card(page, 'greet'));
      const input = page.getByRole('region', { name: 'Input', exact: true });
      const fields = page.getByRole('button', { name: 'Add a field: Fields' });
      await expect(fields).toBeVisible();
      await hand.drag(input.getByRole('treeitem', { name: /^number n\b/ }), fields);
      const mapped = page.locator('[data-field="fields"]');
      await expect(mapped).toContainText('$json.n');
      await expect(mapped.getByText('3', { exact: true })).toBeVisible();
      await page.keyboard.press('Escape');
      const greet = (await spec(at)).nodes.find((node) => node.id === 'greet');
      expect(greet?.with?.fields).toMatchObject({ n: '{{ $json.n }}' });
    },
    theirs: async (hand, at) => {
      const { page } = at;
      await hand.doubleClick(box(page, 'Greet'));
      // The names of the fields are kept from the last execution; the data are not.
      const input = page.locator('[data-test-id="ndv-input-panel"]');
      await hand.drag(
        input.getByText('n', { exact: true }),
        page.locator('[data-test-id="assignment-collection-drop-area"]'),
      );
      await hand.click(page.locator('[data-test-id="node-execute-button"]'));
      await expect(page.locator('[data-test-id="output-panel"]')).toContainText('3');
      await stored(at, (flow) => JSON.stringify(flow.nodes.find((node) => node.name === 'Greet'))).toContain('$json.n');
    },
  },
  {
    name: 'Pin a node’s output, in a flow that has run before',
    ours: async (hand, at) => {
      const { page } = at;
      await hand.doubleClick(card(page, 'greet'));
      await hand.click(
        page.getByRole('region', { name: 'Output', exact: true }).getByRole('button', { name: 'Pin data' }),
      );
      await page.keyboard.press('Escape');
      await expect.poll(async () => (await spec(at)).pins).toMatchObject({ greet: [{ text: 'Ada' }] });
    },
    theirs: async (hand, at) => {
      const { page } = at;
      await hand.hover(box(page, 'Greet'));
      await hand.click(box(page, 'Greet').locator('[data-test-id="execute-node-button"]'));
      await ran(page, 'Greet').waitFor();
      await hand.click(box(page, 'Greet'));
      await hand.press('p');
      await stored(at, (flow) => JSON.stringify(flow.pinData)).toContain('Ada');
    },
  },
  {
    name: 'Run up to a node',
    ours: async (hand, { page }) => {
      await hand.hover(card(page, 'limit'));
      await hand.click(card(page, 'limit').getByRole('button', { name: 'Run to here' }));
      await expect(done(page, 'limit')).toBeVisible();
      await expect(done(page, 'end')).toHaveCount(0);
    },
    theirs: async (hand, { page }) => {
      await hand.hover(box(page, 'Limit'));
      await hand.click(box(page, 'Limit').locator('[data-test-id="execute-node-button"]'));
      await ran(page, 'Limit').waitFor();
      await expect(ran(page, 'End')).toHaveCount(0);
    },
  },
  {
    name: 'Find out what is wrong in a flow (an expression names no node), mend it, see it run',
    broken: true,
    ours: async (hand, at) => {
      const { page } = at;
      await hand.click(page.getByRole('button', { name: 'Problems' }));
      await hand.click(page.getByRole('button', { name: 'Read Person' }));
      await hand.press('ControlOrMeta+Enter');
      await expect(done(page, 'end')).toBeVisible();
    },
    theirs: async (hand, at) => {
      const { page } = at;
      // That something is wrong is seen when it fails.
      await hand.click(page.locator('[data-test-id="execute-workflow-button"]'));
      await page.getByText('Problem in node').first().waitFor();
      await hand.doubleClick(box(page, 'Greet'));
      const expression = page.locator('[data-test-id="assignment-collection-assignments"] .cm-content').last();
      await expect(expression).toContainText('Persn');
      await hand.chooseWord(expression, 'Persn');
      await hand.type('Person');
      await stored(at, (flow) => JSON.stringify(flow.nodes)).toContain("$('Person')");
      await hand.click(page.locator('[data-test-id="node-execute-button"]'));
      await expect(page.locator('[data-test-id="output-panel"]')).toContainText('Ada');
    },
  },
  {
    name: 'Copy all nodes and paste them',
    ours: async (hand, at) => {
      await hand.press('ControlOrMeta+a');
      await hand.press('ControlOrMeta+c');
      await hand.press('ControlOrMeta+v');
      await expect(at.page.locator('.react-flow__node')).toHaveCount(10);
      expect((await spec(at)).edges).toHaveLength(8);
    },
    theirs: async (hand, { page }) => {
      await hand.press('ControlOrMeta+a');
      await hand.press('ControlOrMeta+c');
      await hand.press('ControlOrMeta+v');
      // A flow has one manual trigger there: the others are pasted, with the connections among them.
      await expect(page.locator('[data-test-id="canvas-node"]')).toHaveCount(9);
      await expect(page.locator('[data-test-id="edge"]')).toHaveCount(7);
    },
  },
  {
    name: 'Delete a node, and take that back',
    ours: async (hand, at) => {
      const { page } = at;
      await hand.click(card(page, 'limit'));
      await hand.press('Delete');
      await expect(card(page, 'limit')).toHaveCount(0);
      await hand.press('ControlOrMeta+z');
      await expect(card(page, 'limit')).toBeVisible();
      expect((await spec(at)).edges).toHaveLength(4);
    },
    theirs: async (hand, { page }) => {
      await hand.click(box(page, 'Limit'));
      await hand.press('Delete');
      await expect(box(page, 'Limit')).toHaveCount(0);
      await hand.press('ControlOrMeta+z');
      await expect(box(page, 'Limit')).toBeVisible();
      await expect(page.locator('[data-test-id="edge"]')).toHaveCount(4);
    },
  },
  {
    name: 'Find a node by its name',
    ours: async (hand, { page }) => {
      await hand.press('ControlOrMeta+f');
      await expect(page.getByRole('searchbox', { name: 'Find in graph' })).toBeFocused();
      await hand.type('Greet');
      await expect(card(page, 'greet')).toHaveClass(/selected/);
    },
    theirs: async (hand, { page }) => {
      await hand.press('ControlOrMeta+k');
      await expect(page.getByPlaceholder(/command|search/i).last()).toBeVisible();
      await hand.type('Greet');
      await expect(page.getByText('Open Greet')).toBeVisible();
      await hand.press('Enter');
      await expect(page.locator('[data-test-id="ndv"]')).toBeVisible();
    },
  },
  {
    name: 'Rename a node that expressions read',
    ours: async (hand, at) => {
      const { page } = at;
      await hand.click(card(page, 'person'));
      await hand.press('F2');
      await expect(page.getByRole('dialog').getByRole('textbox', { name: 'Name' })).toBeFocused();
      await hand.type('Reader');
      await hand.press('Enter');
      await expect(card(page, 'person')).toContainText('Reader');
      const { nodes } = await spec(at);
      expect(nodes.find((node) => node.id === 'person')?.name).toBe('Reader');
      expect(JSON.stringify(nodes)).toContain("$('Reader')");
    },
    theirs: async (hand, at) => {
      const { page } = at;
      await hand.click(box(page, 'Person'));
      await hand.press('F2');
      await expect(page.getByRole('dialog').getByRole('textbox')).toBeFocused();
      await hand.type('Reader');
      await hand.press('Enter');
      await expect(box(page, 'Reader')).toBeVisible();
      await stored(at, (flow) => JSON.stringify(flow.nodes)).toContain("$('Reader')");
    },
  },
  {
    name: 'Look at the version before, and restore it',
    ours: async (hand, at) => {
      const { page } = at;
      await hand.click(page.getByRole('button', { name: 'Versions' }));
      await hand.click(page.getByRole('list', { name: 'Versions' }).getByRole('button').last());
      await hand.click(page.getByRole('button', { name: 'Restore' }));
      await expect.poll(async () => (await spec(at)).nodes.length).toBe(5);
    },
    theirs: async (hand, at) => {
      const { page } = at;
      await hand.click(page.locator('[data-test-id="workflow-menu"]'));
      await hand.click(page.getByText('Version history'));
      const group = page.locator('[data-test-id="workflow-history-group-header"]').first();
      const versions = page.locator('[data-test-id="workflow-history-list-item"]');
      await versions.first().waitFor();
      if (await group.isVisible()) await hand.click(group);
      await hand.click(versions.last());
      await expect(page.locator('[data-test-id="canvas-node"]')).toHaveCount(5);
      await hand.click(page.locator('[data-test-id="workflow-history-content-actions"] button').first());
      await hand.click(page.getByText(/Restore/).first());
      const sure = page
        .getByRole('dialog')
        .getByRole('button', { name: /restore/i })
        .last();
      if (await sure.isVisible().catch(() => false)) await hand.click(sure);
      await stored(at, (flow) => flow.nodes.length).toBe(5);
    },
  },
];
