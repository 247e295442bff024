import { expect, openGraph, test } from './fixtures';

const GRAPH = `\
pyagent: 1
id: hello
name: Hello
# What it greets.
nodes:
  - {id: greet, use: data.set@1, name: Greet, with: {fields: {text: hello}}} # politely
`;

test('a graph of the library opens under its name', async ({ page, server }) => {
  await server.write('hello', GRAPH);
  await openGraph(page, 'hello');
  await expect(page.getByRole('heading', { level: 1 })).toHaveAccessibleName('Hello');
  await expect(page.getByRole('status').filter({ hasText: 'Saved' })).toBeVisible();
});

test('a change that an editor makes on disk is shown at once', async ({ page, server }) => {
  await server.write('hello', GRAPH);
  await openGraph(page, 'hello');
  await expect(page.getByRole('heading', { level: 1 })).toHaveAccessibleName('Hello');
  await server.write('hello', GRAPH.replace('name: Hello', 'name: Good morning'));
  await expect(page.getByRole('heading', { level: 1 })).toHaveAccessibleName('Good morning');
});

test('what is typed in the file keeps its comments and every line that was not touched', async ({ page, server }) => {
  await server.write('hello', GRAPH);
  await openGraph(page, 'hello');
  await page.getByRole('textbox', { name: 'Name of the graph' }).fill('Good evening');
  await page.keyboard.press('ControlOrMeta+s');
  await expect(page.getByText('Saved', { exact: true })).toBeVisible();
  expect(await server.read('hello')).toBe(GRAPH.replace('name: Hello', 'name: Good evening'));
  await page.getByRole('button', { name: 'File' }).click();
  const text = page.getByRole('textbox', { name: 'The graph’s file' });
  await expect(text).toContainText('Good evening');
  await text.press('ControlOrMeta+End');
  await page.keyboard.type('# the end');
  await expect(page.getByText('Not saved yet')).toBeVisible();
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await expect(page.getByText('Saved', { exact: true })).toBeVisible();
  expect(await server.read('hello')).toBe(`${GRAPH.replace('name: Hello', 'name: Good evening')}# the end`);
});

test('typing in the file goes on where it stopped, also after the panel was closed', async ({ page, server }) => {
  await server.write('hello', GRAPH);
  await openGraph(page, 'hello');
  await page.getByRole('button', { name: 'File' }).click();
  const text = page.getByRole('textbox', { name: 'The graph’s file' });
  await text.press('ControlOrMeta+End');
  await page.keyboard.type('# the end');
  await expect(page.getByText('Not saved yet')).toBeVisible();
  await page.keyboard.type(' of it');
  await page.getByRole('region', { name: 'File' }).getByRole('button', { name: 'Close' }).click();
  await page.getByRole('button', { name: 'File' }).click();
  await expect(text).toContainText('# the end of it');
  await expect.poll(() => page.evaluate(() => localStorage.getItem('pyagent.draft.hello'))).toContain('of it');
  await page.reload();
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await expect(page.getByText('Saved', { exact: true })).toBeVisible();
  expect(await server.read('hello')).toBe(`${GRAPH}# the end of it`);
});

test('edits here and on disk are put together, and a clash is asked about', async ({ page, server }) => {
  await server.write('hello', GRAPH);
  await openGraph(page, 'hello');
  const name = page.getByRole('textbox', { name: 'Name of the graph' });
  await name.fill('Mine');
  await server.write('hello', GRAPH.replace('text: hello', 'text: hi'));
  await page.getByRole('button', { name: 'File' }).click();
  await expect(page.getByRole('textbox', { name: 'The graph’s file' })).toContainText('text: hi');
  await expect(name).toHaveValue('Mine');
  await server.write('hello', GRAPH.replace('name: Hello', 'name: Theirs'));
  await page.getByRole('button', { name: 'Put them together' }).click();
  await page.getByRole('button', { name: 'Put together and save' }).click();
  await expect(page.getByText('Saved', { exact: true })).toBeVisible();
  expect(await server.read('hello')).toBe(GRAPH.replace('name: Hello', 'name: Mine'));
});

test('a broken file is shown with what is wrong, and mended on the page', async ({ page, server }) => {
  await server.write('hello', GRAPH.replace('nodes:', 'nodes: ['));
  await openGraph(page, 'hello');
  await expect(page.getByRole('alert')).toContainText('This file is no graph');
  await server.write('hello', GRAPH);
  await expect(page.getByRole('heading', { level: 1 })).toHaveAccessibleName('Hello');
});

test('edits outlive a closed tab and a server that is gone', async ({ page, server }) => {
  await server.write('hello', GRAPH);
  await openGraph(page, 'hello');
  const name = page.getByRole('textbox', { name: 'Name of the graph' });
  await name.fill('Kept');
  await expect.poll(() => page.evaluate(() => localStorage.getItem('pyagent.draft.hello'))).toContain('Kept');
  await page.reload();
  await expect(name).toHaveValue('Kept');
  await server.stop();
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await expect(page.getByRole('alert')).toContainText('cannot be reached');
  await server.start();
  await expect(page.getByText('Saved', { exact: true })).toBeVisible();
  expect(await server.read('hello')).toContain('name: Kept');
});
