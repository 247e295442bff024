/** The pages around a graph: home, versions, credentials; and a part of a graph that becomes a node and back. */

import { spawnSync } from 'node:child_process';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { expect, openGraph, test } from './fixtures';

const chain = (id: string, name: string) => `\
pyagent: 1
id: ${id}
name: ${name}
nodes:
  - {id: one, use: data.set@1, name: One, with: {fields: {n: 1}}} # the first
  - {id: two, use: flow.noop@1, name: Two}
  - {id: three, use: flow.noop@1, name: Three}
edges: [one -> two, two -> three]
layout: {one: [0, 0], two: [220, 0], three: [440, 0]}
`;

test('graphs are searched, copied and deleted at home', async ({ page, server }) => {
  await server.write('apples', chain('apples', 'Apples'));
  await server.write('pears', chain('pears', 'Pears'));
  await page.goto(`${server.url}/#/`);
  const mine = page.getByRole('region', { name: 'Your graphs' });
  await expect(mine.getByText('Pears')).toBeVisible();
  await page.getByRole('textbox', { name: 'Search graphs' }).fill('appl');
  await expect(mine.getByText('Apples')).toBeVisible();
  await expect(mine.getByText('Pears')).toHaveCount(0);
  await page.getByRole('button', { name: 'More for Apples' }).click();
  await page.getByRole('menuitem', { name: 'Copy' }).click();
  await page.getByRole('textbox', { name: 'Id' }).fill('more_apples');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('heading', { level: 1 })).toHaveAccessibleName('Copy of Apples');
  expect(await server.read('more_apples')).toContain('# the first');
  await page.goto(`${server.url}/#/`);
  await page.getByRole('button', { name: 'More for Copy of Apples' }).click();
  await page.getByRole('menuitem', { name: 'Delete' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await expect(mine.getByText('Apples')).toHaveCount(1);
  await expect(server.read('more_apples')).rejects.toThrow();
});

test('a version is compared on the canvas, restored, and that is taken back', async ({ page, server }) => {
  const before = chain('kept', 'Kept');
  await server.write('kept', before);
  await openGraph(page, 'kept');
  const three = page.locator('.react-flow__node[data-id="three"]');
  await three.click();
  await page.keyboard.press('Delete');
  await page.keyboard.press('ControlOrMeta+s');
  await expect(page.getByText('Saved', { exact: true })).toBeVisible();
  await page.getByRole('button', { name: 'Versions' }).click();
  await page.getByRole('list', { name: 'Versions' }).getByRole('button').last().click();
  const dialog = page.getByRole('dialog');
  await expect(dialog.locator('.react-flow__node[data-id="three"] [data-differs]')).toBeVisible();
  await dialog.getByRole('button', { name: 'Restore' }).click();
  await expect(three).toBeVisible();
  await page.keyboard.press('ControlOrMeta+s');
  await expect(page.getByText('Saved', { exact: true })).toBeVisible();
  expect(await server.read('kept')).toContain('two -> three');
  await page.getByRole('region', { name: /^Canvas/ }).focus();
  await page.keyboard.press('ControlOrMeta+z');
  await expect(three).toHaveCount(0);
});

test('commits of the file are told beside its saves, compared on the canvas and as text, and restored', async ({
  page,
  server,
}) => {
  const git = (...words: readonly string[]) => {
    const { status, stderr } = spawnSync('git', ['-c', 'user.name=Ann', '-c', 'user.email=ann@example.com', ...words], {
      cwd: server.folder,
      encoding: 'utf8',
    });
    expect(status, stderr).toBe(0);
  };
  const first = chain('tracked', 'Tracked');
  const second = first
    .replace('name: Two', 'name: Second')
    .replace(/ {2}- \{id: three.*\n/, '')
    .replace(', two -> three', '')
    .replace(', three: [440, 0]', '');
  git('init', '--quiet');
  for (const [text, subject] of [
    [first, 'Three in a row'],
    [second, 'Two are enough'],
  ] as const) {
    await server.write('tracked', text);
    git('add', 'graphs/tracked.yaml');
    git('commit', '--quiet', '--no-verify', '-m', subject);
  }
  await openGraph(page, 'tracked');
  await page.getByRole('textbox', { name: 'Name of the graph' }).fill('Changed');
  await page.keyboard.press('ControlOrMeta+s');
  await expect(page.getByText('Saved', { exact: true })).toBeVisible();
  await page.getByRole('button', { name: 'Versions' }).click();
  const commits = page.getByRole('list', { name: 'Versions' }).getByRole('button', { name: /Commit / });
  await expect(commits).toHaveText([/Two are enough.*Ann/, /Three in a row.*Ann/]);
  await commits.last().click();
  const dialog = page.getByRole('dialog', { name: 'Three in a row' });
  await expect(dialog.locator('[data-card="three"]')).toHaveAttribute('data-differs', 'removed');
  await expect(dialog.locator('[data-card="two"]')).toHaveAttribute('data-differs', 'changed');
  await dialog.getByText('As text', { exact: true }).click();
  await expect(dialog.getByText('name: Second')).toBeVisible();
  await dialog.getByRole('button', { name: 'Restore' }).click();
  await expect(page.locator('[data-card="three"]')).toBeVisible();
  await page.keyboard.press('ControlOrMeta+s');
  await expect.poll(() => server.read('tracked')).toContain('two -> three');
  expect(await server.read('tracked')).toContain('name: Two}');
  await rm(path.join(server.folder, '.git'), { recursive: true });
});

test('a credential is kept, shown by its name alone, told who uses it, and deleted', async ({ page, server }) => {
  await server.write('caller', chain('caller', 'Caller').replace('use: flow.noop@1, name: Two', USES));
  await page.goto(`${server.url}/#/credentials`);
  await page.getByRole('button', { name: 'Make the vault' }).click();
  await page.getByRole('button', { name: 'New credential' }).first().click();
  await page.getByRole('textbox', { name: 'Name' }).fill('shop');
  await page.getByRole('combobox', { name: 'Kind' }).click();
  await page.getByRole('option', { name: /bearer/i }).click();
  await page.getByRole('textbox', { name: /token/ }).fill('secret-4711');
  await page.getByRole('button', { name: 'Save' }).click();
  const row = page.getByRole('row').filter({ hasText: 'shop' });
  await expect(row).toContainText('caller');
  // The dialog that it was typed into is still to be seen while it closes.
  await expect(page.getByRole('dialog')).toHaveCount(0);
  expect(await page.content()).not.toContain('secret-4711');
  const told = JSON.stringify(await server.request('GET', '/api/v1/credentials'));
  expect(told).not.toContain('secret-4711');
  await row.getByRole('button', { name: 'Delete' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await expect(page.getByText('Missing: graphs ask for it')).toBeVisible();
});

const USES = 'use: http.request@1, name: Two, with: {url: "http://127.0.0.1:9", credential: shop}';

test('nodes become the inside of one, are looked into, and come out again', async ({ page, server }) => {
  await server.write('parts', chain('parts', 'Parts'));
  await openGraph(page, 'parts');
  const node = (id: string) => page.locator(`.react-flow__node[data-id="${id}"]`);
  await node('two').click();
  await node('three').click({ modifiers: ['Shift'] });
  const command = async (title: string) => {
    await page.keyboard.press('ControlOrMeta+k');
    await page.keyboard.type(title);
    await expect(page.getByRole('option', { selected: true })).toContainText(title);
    await page.keyboard.press('Enter');
  };
  await command('Move the selection into a map');
  await expect(node('two')).toHaveCount(0);
  await command('Open what is inside');
  await expect(node('two')).toBeVisible();
  await page.getByRole('navigation', { name: 'Where you are' }).getByRole('button', { name: 'Parts' }).click();
  await expect(node('one')).toBeVisible();
  await page.keyboard.press('ControlOrMeta+z');
  await expect(node('two')).toBeVisible();
  await page.keyboard.press('ControlOrMeta+s');
  await expect(page.getByText('Saved', { exact: true })).toBeVisible();
  expect(await server.read('parts')).toBe(chain('parts', 'Parts'));
});
