import { mkdir, realpath, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Locator, Page } from '@playwright/test';
import { expect, expectAccessible, openGraph, type Server, test } from './fixtures';

const HOSTILE = '<img src=x onerror="window.hurt=1"><script>window.hurt=1</script>';

const ORDERS = `\
pyagent: 1
id: orders
name: Orders
nodes:
  - id: make
    use: code.javascript@1
    name: Make orders
    with:
      code: |
        return Array.from({length: 120}, (_, i) => ({
          id: i,
          customer: {name: i ? "Ann " + i : ${JSON.stringify(HOSTILE)}, "mail address": i + "@example.com"},
          price: i * 1.5,
        }))
  # The sums.
  - {id: sums, use: data.set@1, name: Sums, with: {fields: {total: 0}}} # kept
edges:
  - make -> sums
layout: {make: [0, 0], sums: [260, 0]}
`;

/** The graph with a run of it, so that there are data. */
async function withRun(page: Page, server: Server): Promise<void> {
  await server.write('orders', ORDERS);
  await server.post('/api/v1/runs?wait=20', { graph: 'orders' });
  await openGraph(page, 'orders');
}

async function openNode(page: Page, name: string): Promise<Locator> {
  await page.locator('.react-flow__node').filter({ hasText: name }).dblclick();
  const dialog = page.getByRole('dialog', { name });
  await expect(dialog).toBeVisible();
  return dialog;
}

async function saved(page: Page): Promise<void> {
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await expect(page.getByText('Saved', { exact: true })).toBeVisible();
}

test('a field is dragged from the input into a parameter, and what it gives is shown', async ({ page, server }) => {
  await withRun(page, server);
  const panel = await openNode(page, 'Sums');
  await panel.getByRole('button', { name: 'Add a field: Fields' }).click();
  const field = panel
    .getByRole('tree', { name: /^Input/ })
    .getByRole('treeitem')
    .filter({ hasText: 'mail address' });
  await field.dragTo(panel.getByLabel('Fields: field2', { exact: true }));
  await expect(panel.getByRole('status').filter({ hasText: /^0@example.com$/ })).toBeVisible();
  await saved(page);
  const text = await server.read('orders');
  expect(text).toContain('$json.customer["mail address"]');
  expect(text).toContain('# kept');
  expect(text).toContain('# The sums.');
});

test('a field is put into a parameter by keyboard', async ({ page, server }) => {
  await withRun(page, server);
  const panel = await openNode(page, 'Sums');
  await panel.getByLabel('Fields: total', { exact: true }).focus();
  await panel.getByRole('tree', { name: /^Input/ }).focus();
  await page.keyboard.press('End');
  await page.keyboard.press('Enter');
  await expect(panel.getByLabel('Fields: total', { exact: true })).toContainText('{{ $json.price }}');
});

test('completion knows the data; an error is told and underlined', async ({ page, server }) => {
  await withRun(page, server);
  const panel = await openNode(page, 'Sums');
  await panel.getByRole('button', { name: 'Expression: Fields: total' }).click();
  const field = panel.getByRole('textbox', { name: 'Fields: total' });
  await field.press('ControlOrMeta+a');
  await page.keyboard.type('{{ $json.cus');
  await page.getByRole('option', { name: /^customer/ }).waitFor();
  await page.keyboard.press('Enter');
  await page.keyboard.type('.');
  await page.keyboard.press('Control+Space');
  await expect(page.getByRole('option', { name: /mail address/ })).toBeVisible();
  await page.keyboard.press('Escape');
  await page.keyboard.type('name.nothing.at');
  await expect(panel.getByText(/cannot read property/i)).toBeVisible();
  await expect(panel.locator('.cm-lintRange-error')).toBeVisible();
  await page.keyboard.press('Escape');
  await panel.getByRole('tab', { name: 'Parameters' }).focus();
  await page.keyboard.press('Escape');
  await expect(panel).toBeHidden();
});

test('a path is looked for on the machine by keys, completed while one types, and written', async ({
  page,
  server,
}) => {
  await mkdir(path.join(server.folder, 'data'), { recursive: true });
  await writeFile(path.join(server.folder, 'data', 'orders.csv'), 'id\n1\n');
  await server.write('reads', 'pyagent: 1\nid: reads\nnodes:\n  - {id: read, use: io.read_file@1, name: Read}\n');
  await openGraph(page, 'reads');
  const panel = await openNode(page, 'Read');
  const field = panel.getByRole('combobox', { name: /^Path/ });
  await panel.getByRole('button', { name: 'Look for Path on the machine' }).click();
  const dialog = page.getByRole('dialog', { name: 'Choose a file or folder' });
  await expect(dialog.getByRole('option', { name: /data/ })).toBeVisible();
  await expect(dialog.getByRole('combobox')).toBeFocused();
  await page.keyboard.type('dat');
  await page.keyboard.press('Enter');
  await expect(dialog.getByRole('option', { name: /orders\.csv.*File.*5 bytes/ })).toBeVisible();
  await expectAccessible(page);
  await page.keyboard.press('Backspace');
  await expect(dialog.getByRole('option', { name: /graphs/ })).toBeVisible();
  await page.keyboard.type('data');
  await page.keyboard.press('Enter');
  await page.keyboard.type('ord');
  await page.keyboard.press('Enter');
  await expect(dialog).toHaveCount(0);
  const file = await realpath(path.join(server.folder, 'data', 'orders.csv'));
  await expect(field).toHaveValue(file);
  await field.fill(file.slice(0, -4));
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await expect(field).toHaveValue(file);
  // Escape is the dialog's, wherever in it the keys go.
  await panel.getByRole('button', { name: 'Look for Path on the machine' }).click();
  await dialog.getByRole('button', { name: 'Cancel' }).focus();
  await page.keyboard.press('Escape');
  await expect(dialog).toHaveCount(0);
  await expect(panel).toBeVisible();
  await page.keyboard.press('Escape');
  await page.keyboard.press('ControlOrMeta+s');
  await expect.poll(() => server.read('reads')).toContain(`path: ${file}`);
});

test('output is edited and pinned, and unpinned again', async ({ page, server }) => {
  await withRun(page, server);
  const panel = await openNode(page, 'Sums');
  await panel.getByRole('button', { name: 'Edit and pin' }).click();
  const pin = page.getByRole('dialog', { name: /Pinned items of Sums/ });
  const text = pin.getByRole('textbox', { name: /JSON list/ });
  await text.press('ControlOrMeta+a');
  await page.keyboard.insertText('[1]');
  await expect(pin.getByText('It has to be a list of objects.')).toBeVisible();
  await text.press('ControlOrMeta+a');
  await page.keyboard.insertText('[{"total": 42}]');
  await pin.getByRole('button', { name: 'Pin these items' }).click();
  await expect(panel.getByRole('region', { name: 'Output', exact: true }).getByText('Pinned')).toBeVisible();
  await expect(panel.getByRole('cell', { name: '42' })).toBeVisible();
  await saved(page);
  expect(await server.read('orders')).toContain('total: 42');
  await openNode(page, 'Sums');
  await panel.getByRole('button', { name: 'Unpin' }).click();
  await saved(page);
  expect(await server.read('orders')).toBe(ORDERS);
  // On the canvas a key pins what the node gave in the last run.
  await page.locator('.react-flow__node').filter({ hasText: 'Sums' }).click();
  await page.keyboard.press('p');
  await expect(page.getByText('Pinned', { exact: true })).toBeVisible();
  await expect(page.getByRole('dialog')).toHaveCount(0);
  await page.keyboard.press('p');
  await expect(page.getByText('Unpinned', { exact: true })).toBeVisible();
});

test('settings of a node are written only where they differ from what holds anyway', async ({ page, server }) => {
  await withRun(page, server);
  const panel = await openNode(page, 'Sums');
  await panel.getByRole('tab', { name: 'Settings' }).click();
  await panel.getByLabel('Tries in all').fill('3');
  await panel.getByLabel('Longest time of a try').fill('30s');
  await panel.getByLabel('Notes').fill('Adds things up');
  await expectAccessible(page);
  await saved(page);
  const text = await server.read('orders');
  expect(text).toMatch(/retry: \{attempts: 3\}/);
  expect(text).toMatch(/timeout: 30s/);
  await openNode(page, 'Sums');
  await panel.getByRole('tab', { name: 'Settings' }).click();
  for (const label of ['Tries in all', 'Longest time of a try', 'Notes']) await panel.getByLabel(label).fill('');
  await saved(page);
  expect(await server.read('orders')).toBe(ORDERS);
});

test('items are shown as tables, JSON, schema and trees, page by page, and never run', async ({ page, server }) => {
  await withRun(page, server);
  const panel = await openNode(page, 'Sums');
  const output = panel.getByRole('region', { name: 'Output', exact: true });
  await expect(output.getByText('120 items')).toBeVisible();
  for (const view of ['JSON', 'Schema', 'Tree', 'Table']) {
    await output.getByRole('radiogroup', { name: 'How the data are shown' }).getByText(view, { exact: true }).click();
    await expect(output.getByText(/img src=x|customer/).first()).toBeVisible();
  }
  await output.getByRole('button', { name: 'Next item' }).click();
  await expect(output.getByText('51–100 of 120')).toBeVisible();
  await output.getByRole('button', { name: 'Search in these items' }).click();
  await output.getByRole('textbox', { name: 'Search in these items' }).fill('Ann 73');
  await expect(output.getByText('1 found')).toBeVisible();
  expect(await page.evaluate(() => 'hurt' in window)).toBe(false);
  await expectAccessible(page);
});

test('a node without data is run up to from its panel', async ({ page, server }) => {
  await server.write('fresh', ORDERS.replace('id: orders', 'id: fresh'));
  await openGraph(page, 'fresh');
  const panel = await openNode(page, 'Sums');
  await panel.getByRole('region', { name: 'Output', exact: true }).getByRole('button', { name: 'Run to here' }).click();
  await expect(panel.getByText('Completed')).toBeVisible();
  await expect(panel.getByRole('region', { name: 'Output', exact: true }).getByText('120 items')).toBeVisible();
});

test('a node type that is not installed is shown as such and kept', async ({ page, server }) => {
  const strange = ORDERS.replace('use: data.set@1, name: Sums', 'use: acme.thing@1, name: Sums');
  await server.write('strange', strange.replace('id: orders', 'id: strange'));
  await openGraph(page, 'strange');
  const panel = await openNode(page, 'Sums');
  await expect(panel.getByText('This node type is not installed')).toBeVisible();
  await panel.getByRole('textbox', { name: 'Name', exact: true }).fill('Strange');
  await page.keyboard.press('Enter');
  await saved(page);
  expect(await server.read('strange')).toBe(
    strange.replace('id: orders', 'id: strange').replace('name: Sums', 'name: Strange'),
  );
});

test('inputs, state and settings of the graph are edited in a dialog', async ({ page, server }) => {
  await server.write('plain', ORDERS.replace('id: orders', 'id: plain'));
  await openGraph(page, 'plain');
  await page.getByRole('button', { name: 'Settings of the graph' }).click();
  const dialog = page.getByRole('dialog', { name: 'Settings of the graph' });
  await dialog.getByRole('tab', { name: 'Inputs' }).click();
  await dialog.getByRole('button', { name: 'Add an input' }).click();
  await dialog.getByLabel('Name of input 1').fill('customer');
  await dialog.getByLabel('Name of input 1').press('Enter');
  await dialog.getByLabel('Label').fill('Customer');
  await dialog.getByRole('tab', { name: 'State' }).click();
  await dialog.getByRole('button', { name: 'Add a channel' }).click();
  await dialog.getByRole('tab', { name: 'Runs' }).click();
  await dialog.getByLabel('Longest time of a run, waits included').fill('1h');
  await expectAccessible(page);
  await saved(page);
  const text = await server.read('plain');
  expect(text).toMatch(/customer: \{type: string, title: Customer\}/);
  expect(text).toMatch(/channel1: \{type: string\}/);
  expect(text).toMatch(/timeout: 1h/);
});

test('by keyboard an item of the output shows what it came from', async ({ page, server }) => {
  await withRun(page, server);
  const panel = await openNode(page, 'Sums');
  for (const pane of ['Input', 'Output']) {
    const region = panel.getByRole('region', { name: pane, exact: true });
    await region.getByRole('radiogroup', { name: 'How the data are shown' }).getByText('Tree', { exact: true }).click();
  }
  await panel.getByRole('tree', { name: /^Output/ }).focus();
  await expect(
    panel
      .getByRole('tree', { name: /^Input/ })
      .locator('[data-marked]')
      .first(),
  ).toHaveAttribute('aria-description', /the chosen item comes from it/);
  await panel.getByRole('tree', { name: /^Input/ }).focus();
  await expect(panel.locator('[data-marked]')).toHaveCount(0);
});
