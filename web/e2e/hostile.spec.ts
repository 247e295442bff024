import { expect, openGraph, test } from './fixtures';

/** Texts that would do something wherever they were taken for more than text. */
const HOSTILE = [
  '<script>window.hurt = 1</script>',
  '<img src=x onerror="window.hurt = 2">',
  '"><svg onload="window.hurt = 3">',
  "'-window.hurt-'",
  '[press](javascript:window.hurt=4)',
  '<a href="javascript:window.hurt=5">press</a>',
  '<iframe srcdoc="<script>parent.hurt=6</script>"></iframe>',
  '</title></style></textarea><script>window.hurt=7</script>',
  '{{constructor.constructor("window.hurt=8")()}}',
  '![x](x" onerror="window.hurt=9)',
  '<math><mtext></p><style><img src=x onerror=window.hurt=10></style>',
  '\u202egnp.exe <b onmouseover=window.hurt=11>',
];
const ALL = HOSTILE.join(' ');
const text = (value: string) => JSON.stringify(value);

const GRAPH = `\
pyagent: 1
id: hostile
name: ${text(ALL)}
description: ${text(ALL)}
nodes:
  - {id: say, use: data.set@1, name: ${text(ALL)}, notes: ${text(ALL)}, with: {fields: ${JSON.stringify(
    Object.fromEntries(HOSTILE.filter((one) => !one.includes('{{')).map((one) => [one, one])),
  )}}}
  - {id: odd, use: shop.order@1, name: ${text(HOSTILE[1] ?? '')}, with: {${text(HOSTILE[0] ?? '')}: ${text(ALL)}}}
edges: [say -> odd]
canvas:
  notes: {hint: {text: ${text(ALL)}, at: [0, 120], size: [400, 200]}}
  frames: {all: {title: ${text(ALL)}, at: [-40, -40], size: [600, 120]}}
`;
const FAILING = `\
pyagent: 1
id: failing
name: ${text(ALL)}
nodes:
  - {id: say, use: data.set@1, name: Say, with: {fields: {text: ${text(HOSTILE.slice(0, 4).join(' '))}}}}
  - id: fail
    use: code.python@1
    name: ${text(HOSTILE[1] ?? '')}
    with: {code: ${text(`print(${text(ALL)})\nraise ValueError(${text(ALL)})`)}}
edges: [say -> fail]
`;

test('nothing that a graph, its data or its errors say is more than text on any page', async ({ page, server }) => {
  await server.write('hostile', GRAPH);
  await server.write('failing', FAILING);
  await server.write('<img src=x onerror=window.hurt=12>', 'no graph: [');
  const { id } = (await server.request('POST', '/api/v1/runs', { graph: 'failing' })) as { id: string };
  const unhurt = async () => {
    expect(await page.evaluate(() => (window as unknown as { hurt?: number }).hurt)).toBeUndefined();
    expect(await page.locator('a[href^="javascript:"], iframe, img[src="x"]').count()).toBe(0);
  };

  await page.goto(`${server.url}/#/settings`);
  await page.goto(`${server.url}/#/`);
  await expect(page.getByRole('article').filter({ hasText: '<script>window.hurt = 1' }).first()).toBeVisible();
  await unhurt();

  await openGraph(page, 'hostile');
  await expect(page.locator('[data-card="say"]')).toContainText('<script>');
  await page.getByRole('button', { name: 'Problems' }).click();
  await expect(page.getByRole('list', { name: 'Problems' })).toContainText('shop.order@1');
  await page.getByRole('button', { name: 'File' }).click();
  await expect(page.getByRole('textbox', { name: 'The graph’s file' })).toContainText('onerror');
  await page.getByRole('button', { name: 'Versions' }).click();
  await unhurt();

  for (const node of ['say', 'odd']) {
    await page.locator(`[data-card="${node}"] [data-title]`).click();
    await page.keyboard.press('Enter');
    await expect(page.getByRole('dialog', { name: /onerror/ })).toBeVisible();
    await unhurt();
    await page.keyboard.press('Escape');
    await expect(page.getByRole('dialog')).toHaveCount(0);
  }

  await page.goto(`${server.url}/#/runs/${id}`);
  await expect(page.locator('[data-run-status="failed"]').first()).toBeVisible();
  await expect(page.getByText('<script>window.hurt = 1').first()).toBeVisible();
  await unhurt();
  await page.goto(`${server.url}/#/runs`);
  await expect(page.getByRole('table', { name: 'Runs' })).toBeVisible();
  await unhurt();
});

test('a node that is not installed stays as it is, and pasted garbage changes nothing', async ({ page, server }) => {
  await server.write('hostile', GRAPH);
  await openGraph(page, 'hostile');
  await page.locator('[data-canvas]').focus();
  for (const garbage of [ALL, '{"nodes": 5}', '[1, 2', '{"pyagent": "clipboard", "nodes": [{"id": 5}]}']) {
    await page.evaluate((data) => {
      const transfer = new DataTransfer();
      transfer.setData('text/plain', data);
      const event = new ClipboardEvent('paste', { clipboardData: transfer, bubbles: true, cancelable: true });
      document.querySelector('[data-canvas]')?.dispatchEvent(event);
    }, garbage);
  }
  await expect(page.locator('[data-card]')).toHaveCount(2);
  await page.getByRole('textbox', { name: 'Name of the graph' }).fill('Calm');
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await expect(page.getByText('Saved', { exact: true })).toBeVisible();
  expect(await server.read('hostile')).toBe(GRAPH.replace(`name: ${text(ALL)}`, 'name: Calm'));
});
