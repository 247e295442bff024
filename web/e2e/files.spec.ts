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
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Hello');
  await expect(page.getByRole('status').filter({ hasText: 'Saved' })).toBeVisible();
});

test('a change that an editor makes on disk is shown at once', async ({ page, server }) => {
  await server.write('hello', GRAPH);
  await openGraph(page, 'hello');
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Hello');
  await server.write('hello', GRAPH.replace('name: Hello', 'name: Good morning'));
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Good morning');
});
