import type { Page } from '@playwright/test';
import { expect, expectAccessible, openGraph, type Server, test } from './fixtures';

const GRAPH = `\
pyagent: 1
id: seen
name: Seen by everybody
nodes:
  - {id: greet, use: data.set@1, name: Greet, with: {fields: {text: hello}}}
  - {id: odd, use: shop.order@1, name: Odd}
edges: [greet -> odd]
canvas:
  notes: {hint: {text: "**Look** here", at: [0, 100], size: [200, 80]}}
`;

/** The pages, each with what says that it is there. */
const PAGES: readonly [path: string, heading: string][] = [
  ['/', 'Graphs'],
  ['/runs', 'Runs'],
  ['/credentials', 'Credentials'],
  ['/nodes', 'Nodes'],
  ['/nodes/data.set@1', 'Set fields'],
  ['/settings', 'Settings'],
];

async function finished(server: Server): Promise<string> {
  const text = GRAPH.replace('id: seen', 'id: ran').replace(/ {2}- \{id: odd.*\n|edges.*\n/g, '');
  await server.write('ran', text);
  const { id } = (await server.request('POST', '/api/v1/runs', { graph: 'ran' })) as { id: string };
  return id;
}

/** As it is in the light; in the dark, colours are all that differs. */
async function expectBoth(page: Page): Promise<void> {
  await page.emulateMedia({ colorScheme: 'light', reducedMotion: 'reduce' });
  await expectAccessible(page);
  await page.emulateMedia({ colorScheme: 'dark', reducedMotion: 'reduce' });
  await expectAccessible(page, 'color-contrast');
}

// Nothing here is about what another test has left: workers share them.
test.describe.configure({ mode: 'parallel' });

test('every page around the graphs can be used by everybody, light and dark', async ({ page, server }) => {
  await server.write('seen', GRAPH);
  for (const [path, heading] of PAGES) {
    await page.goto(`${server.url}/#${path}`);
    await expect(page.getByRole('heading', { name: heading, exact: true }).first()).toBeVisible();
    await expectBoth(page);
  }
});

test('a run, a graph and a node can be used by everybody, light and dark', async ({ page, server }) => {
  await server.write('seen', GRAPH);
  const run = await finished(server);
  await page.goto(`${server.url}/#/runs/${run}`);
  await expect(page.locator('[data-run-status="completed"]').first()).toBeVisible();
  await expectBoth(page);
  await openGraph(page, 'seen');
  await expect(page.locator('[data-card="greet"]')).toBeVisible();
  await page.getByRole('button', { name: 'Problems' }).click();
  await page.getByRole('button', { name: 'Versions' }).click();
  await expect(page.getByRole('list', { name: 'Problems' })).toBeVisible();
  await expectBoth(page);
  await page.locator('[data-card="greet"]').click();
  await page.keyboard.press('Enter');
  await expect(page.getByRole('dialog', { name: 'Greet' })).toBeVisible();
  await expectBoth(page);
});
