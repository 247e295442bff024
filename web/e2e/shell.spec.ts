import { rm } from 'node:fs/promises';
import { expect, openGraph, test } from './fixtures';

const GRAPH = `\
pyagent: 1
id: shop
name: Shop
nodes:
  - {id: greet, use: data.set@1, name: Greet, with: {fields: {text: hello}, keeep: [text]}}
  - {id: get, use: io.http@1, name: Get, with: {url: "https://example.com", method: GETT}} # kept
edges: [greet -> nowhere, greet -> get]
`;

// Nothing here is about what another test has left: workers share them.
test.describe.configure({ mode: 'parallel' });

test('the tour leads from nothing to a run that has completed', async ({ page, server }) => {
  await page.getByRole('button', { name: 'Start the tour' }).click();
  const tour = page.getByRole('region', { name: 'Tour' });
  await expect(tour.getByRole('heading')).toHaveText('This is a graph');
  await expect(tour.getByRole('heading')).toBeFocused();
  await tour.getByRole('button', { name: 'Next' }).click();
  await tour.getByRole('button', { name: 'Add one for me' }).click();
  await tour.getByRole('button', { name: 'Open it' }).click();
  await expect(page.getByRole('dialog', { name: 'Answer' })).toBeVisible();
  await page.keyboard.press('Escape');
  await tour.getByRole('button', { name: 'Run it' }).click();
  await expect(tour.getByRole('heading')).toHaveText('That was a run');
  await expect(tour).toContainText('how it went');
  expect(await server.read('first_graph')).toContain('greet -> answer');
  await tour.getByRole('button', { name: 'Close the tour' }).last().click();
  await expect(tour).toHaveCount(0);
  await page.getByRole('link', { name: 'All graphs' }).click();
  await expect(page.getByRole('article', { name: 'My first graph' })).toBeVisible();
  await expect(page.getByRole('button', { name: 'Start the tour' })).toHaveCount(0);
});

test('a problem leads to its parameter, and is mended there or by its quick fix', async ({ page, server }) => {
  await server.write('shop', GRAPH);
  await openGraph(page, 'shop');
  await page.getByRole('button', { name: 'Problems' }).click();
  const problems = page.getByRole('list', { name: 'Problems' });
  await problems.getByRole('button', { name: /the parameter method/ }).click();
  const node = page.getByRole('dialog', { name: 'Get' });
  await expect(node.locator('[data-field="method"]').locator(':focus')).toBeVisible();
  await page.keyboard.press('Escape');
  await expect(node).toHaveCount(0);
  await expect(page.locator('[data-card="get"][data-selected]')).toBeVisible();
  await problems.getByRole('button', { name: 'Rename to keep' }).click();
  await expect(problems.getByRole('listitem')).toHaveCount(2);
  await page.getByRole('button', { name: 'Fix all 2' }).click();
  await expect(page.getByText('No problems').first()).toBeVisible();
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await expect(page.getByText('Saved', { exact: true })).toBeVisible();
  expect(await server.read('shop')).toBe(
    GRAPH.replace('keeep', 'keep').replace('GETT', 'GET').replace('greet -> nowhere, ', ''),
  );
});

test('a text that is no graph says so on its line, and the canvas keeps what it had', async ({ page, server }) => {
  await server.write('shop', GRAPH);
  await openGraph(page, 'shop');
  await page.getByRole('button', { name: 'File' }).click();
  const text = page.getByRole('textbox', { name: 'The graph’s file' });
  await text.press('ControlOrMeta+End');
  await page.keyboard.type('pins: [');
  await expect(page.getByText('The text is no graph yet')).toBeVisible();
  await expect(page.locator('.cm-lint-marker-error').first()).toBeVisible();
  await expect(page.locator('[data-card="get"]')).toBeVisible();
});

test('a file that is deleted elsewhere can be written anew', async ({ page, server }) => {
  await server.write('shop', GRAPH);
  await openGraph(page, 'shop');
  // The watch has seen the file when it tells of a change: one that comes and goes between two looks is none for it.
  await server.write('shop', GRAPH.replace('name: Shop', 'name: Stall'));
  await expect(page.getByRole('heading', { level: 1 })).toHaveAccessibleName('Stall');
  await page.getByRole('textbox', { name: 'Name of the graph' }).fill('Kept');
  await rm(server.file('shop'));
  await expect(page.getByRole('alert')).toContainText('The file was deleted');
  await page.getByRole('button', { name: 'Save as a new file' }).click();
  await expect(page.getByText('Saved', { exact: true })).toBeVisible();
  expect(await server.read('shop')).toBe(GRAPH.replace('name: Shop', 'name: Kept'));
});

test('a session that ends says how to get in again, and what was edited is saved then', async ({ page, server }) => {
  await server.write('shop', GRAPH);
  await openGraph(page, 'shop');
  const cookies = await page.context().cookies();
  await page.getByRole('textbox', { name: 'Name of the graph' }).fill('Later');
  await page.context().clearCookies();
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await expect(page.getByRole('alert').first()).toContainText('pyagent open --port');
  await page.context().addCookies(cookies);
  await expect(page.getByText('Your session has ended')).toHaveCount(0);
  await expect(page.getByText('Saved', { exact: true })).toBeVisible();
  expect(await server.read('shop')).toContain('name: Later');
});

test('an address that leads nowhere leads home', async ({ page }) => {
  await page.goto(`${new URL(page.url()).origin}/#/nothing/here`);
  await page.getByRole('link', { name: 'Back to the graphs' }).click();
  await expect(page.getByRole('heading', { level: 1, name: 'Graphs' })).toBeVisible();
});
