import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from './fixtures';

/** A step that waits until its gate is opened. */
const GATE = `\
pyagent: 1
id: gated
name: Wait for the gate
inputs:
  gate: {type: string, title: Gate}
outputs: {kept: "{{ $('keep').first().json.kept }}"}
nodes:
  - id: wait
    use: code.python@1
    name: Wait
    effects: idempotent
    with:
      read: ["{{ $inputs.gate.split('/').slice(0, -1).join('/') }}"]
      code: |
        import os, time
        while not os.path.exists(inputs["gate"]):
            time.sleep(0.02)
        return items
  - {id: keep, use: data.set@1, name: Keep, with: {fields: {kept: true}}}
edges: [wait -> keep]
`;

test('a link lets in once, and a stranger sees only how to get in', async ({ server, browser }) => {
  const link = await server.link();
  const first = await browser.newContext();
  const owner = await first.newPage();
  await owner.goto(link);
  await expect(owner.getByRole('navigation', { name: 'PyAgent' })).toBeVisible();
  const second = await browser.newContext();
  const stranger = await second.newPage();
  await stranger.goto(link);
  await expect(stranger.getByText('This link has been used or is too old')).toBeVisible();
  await stranger.goto(server.url);
  await expect(stranger.getByText(`pyagent open --port ${new URL(server.url).port}`)).toBeVisible();
  await expect(stranger.getByRole('navigation')).toHaveCount(0);
  await first.close();
  await second.close();
});

test('from the list of graphs to a run that ends, and one that is cancelled', async ({ page, server }) => {
  await server.write('gated', GATE);
  const gate = path.join(server.folder, 'gate-entry');
  await page
    .getByRole('link', { name: /Wait for the gate/ })
    .first()
    .click();
  await page.getByRole('button', { name: 'Run', exact: true }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Gate').fill(gate);
  await dialog.getByRole('button', { name: 'Start' }).click();
  await page.getByRole('link', { name: 'Open the run' }).click();
  const status = page.locator('[data-run-status]');
  const step = (name: string) => page.getByRole('tree').locator(`[data-step="${name}"]`);
  await expect(step('wait')).toHaveAttribute('data-status', 'running');
  await writeFile(gate, '');
  await expect(status).toHaveAttribute('data-run-status', 'completed');
  await expect(step('keep')).toHaveAttribute('data-status', 'completed');

  const other = (await server.request('POST', '/api/v1/runs', {
    graph: 'gated',
    inputs: { gate: `${gate}-never` },
  })) as { id: string };
  await page.goto(`${server.url}/#/runs/${other.id}`);
  await expect(step('wait')).toHaveAttribute('data-status', 'running');
  await page.getByRole('button', { name: 'Cancel' }).click();
  await expect(status).toHaveAttribute('data-run-status', 'cancelled');
  await expect(step('wait')).toHaveAttribute('data-status', 'cancelled');
});
