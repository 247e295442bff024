/** Without a mouse: a graph of five nodes is built, run and looked at, and told as text. */

import type { Page } from '@playwright/test';
import { expect, test } from './fixtures';

/** Press Tab until something of that role and name has the keys. */
async function tabTo(page: Page, role: string, name: RegExp): Promise<void> {
  for (let presses = 0; presses < 60; presses++) {
    await page.keyboard.press('Tab');
    const focused = page.locator(':focus');
    if ((await focused.count()) === 0) continue;
    const told = await focused.ariaSnapshot();
    if (told.startsWith(`- ${role} `) && name.test(told)) return;
  }
  throw new Error(`Tab does not come to ${role} ${name}`);
}

/** Choose a node in the palette and close the panel that opens. */
async function add(page: Page, search: string): Promise<void> {
  await page.keyboard.press('Tab');
  await expect(page.getByRole('combobox', { name: 'Search for a node to add' })).toBeFocused();
  await page.keyboard.type(search);
  await expect(page.getByRole('option').first()).toBeVisible();
  await page.keyboard.press('Enter');
}

async function closePanel(page: Page): Promise<void> {
  await expect(page.getByRole('dialog')).toBeVisible();
  await page.keyboard.press('Escape');
  await expect(page.getByRole('dialog')).toHaveCount(0);
}

test('a graph of five nodes is built, run and read without a mouse', async ({ page, server }) => {
  test.slow();
  await page.goto(`${server.url}/#/`);
  await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
  await tabTo(page, 'button', /New graph/);
  await page.keyboard.press('Enter');
  await expect(page.getByRole('textbox', { name: 'Name' })).toBeFocused();
  await page.keyboard.type('By keys');
  await page.keyboard.press('Enter');
  const canvas = page.getByRole('region', { name: 'Canvas of the graph By keys' });
  // The keys are the canvas's at once: it says that Tab adds the first step.
  await expect(canvas).toBeFocused();

  await add(page, 'start');
  await add(page, 'set');
  await closePanel(page);
  await add(page, 'do nothing');
  // Back to the second node, and a branch beside the third.
  await page.keyboard.press('ArrowLeft');
  await add(page, 'do nothing');
  await add(page, 'merge');
  // The third node is connected with the merge by choosing it from a list.
  await page.keyboard.press('ArrowLeft');
  await page.keyboard.press('ArrowUp');
  await page.keyboard.press('c');
  await expect(page.getByRole('combobox', { name: /^Connect Do nothing/ })).toBeFocused();
  await page.keyboard.type('merge');
  await page.keyboard.press('Enter');
  await expect(canvas.getByRole('status')).toContainText('connected to Merge');

  await page.keyboard.press('ControlOrMeta+Enter');
  const run = page.getByRole('region', { name: 'Run', exact: true });
  await expect(run.getByRole('status').first()).toHaveText(/Completed/);
  // The merge's panel shows what came out.
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('region', { name: 'Output', exact: true })).toContainText('2 items');
  await page.keyboard.press('Escape');
  await expect(page.getByRole('dialog')).toHaveCount(0);

  // The graph told as text.
  await page.keyboard.press('Shift+O');
  const told = page.getByRole('listbox', { name: 'Outline' }).getByRole('option');
  await expect(told).toHaveText([/^Start/, /^Set fields/, /^Do nothing/, /^Do nothing 2/, /^Merge/]);
  await expect(told.nth(1)).toHaveAccessibleName('Set fields, data.set, done; leads to Do nothing, Do nothing 2');
  await expect(told.nth(4)).toHaveAccessibleName('Merge, flow.merge, done');
  // Nothing was changed since the run, and looking at it has changed nothing.
  await expect(page.getByText('Saved', { exact: true })).toBeVisible();
});
