import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Locator, Page } from '@playwright/test';
import { expect, expectAccessible, type Server, test } from './fixtures';

const HOSTILE = '<img src=x onerror="window.hurt=1"><script>window.hurt=1</script>';

/** A step that waits for a file, one that fails before it works, a map, a question. */
const REVIEW = `\
pyagent: 1
id: review
name: Review a change
inputs:
  title: {type: string, title: Title, default: Fix the gate}
  gate: {type: string, title: Gate}
outputs: {kept: "{{ $('keep').first().json }}"}
nodes:
  - {id: read, use: data.set@1, name: Read, with: {fields: {title: "{{ $inputs.title }}", list: [1, 2, 3]}}}
  - id: test
    use: code.python@1
    name: Run the tests
    effects: idempotent
    with:
      read: ["{{ $inputs.gate.split('/').slice(0, -1).join('/') }}"]
      code: |
        import os, time
        print("waiting for <b>the gate</b>")
        while not os.path.exists(inputs["gate"]):
            time.sleep(0.02)
        return items
  - {id: split, use: data.split@1, name: Split, with: {field: list, into: n}}
  - id: each
    use: flow.map@1
    name: For each
    body:
      nodes:
        - {id: square, use: data.set@1, name: Square, with: {fields: {square: "{{ $json.n ** 2 }}"}}}
  - id: ask
    use: flow.approve@1
    name: Keep it?
    with: {title: "Keep “{{ $inputs.title }}”?", message: "Tests are green."}
  - {id: keep, use: data.set@1, name: Keep, with: {fields: {title: "{{ $inputs.title }}"}}}
  - {id: drop, use: flow.fail@1, name: Drop, with: {message: Nobody wanted it}}
edges:
  - read -> test
  - test -> split
  - split -> each
  - each -> ask
  - ask.approved -> keep
  - ask.rejected -> drop
`;

/** A step that fails, twice in a run, until there is a file. */
const TRIED = `\
pyagent: 1
id: tried
name: Try twice
inputs:
  gate: {type: string, title: Gate}
nodes:
  - id: look
    use: code.python@1
    name: Look at the gate
    effects: idempotent
    retry: {attempts: 2, initial: 10ms}
    with:
      read: ["{{ $inputs.gate.split('/').slice(0, -1).join('/') }}"]
      code: |
        import os
        print("looking for the gate")
        if not os.path.exists(inputs["gate"]):
            raise ValueError("no gate yet")
        return items
`;

async function started(page: Page, server: Server, title = 'Fix the gate'): Promise<{ id: string; gate: string }> {
  await server.write('review', REVIEW);
  const gate = path.join(server.folder, `gate-${Date.now()}-${Math.random().toString(36).slice(2)}`);
  const run = (await server.request('POST', '/api/v1/runs', { graph: 'review', inputs: { gate, title } })) as {
    id: string;
  };
  await open(page, `/runs/${run.id}`);
  return { id: run.id, gate };
}

async function open(page: Page, hash: string): Promise<void> {
  const at = new URL(page.url());
  await page.goto(`${at.origin}${at.pathname}#${hash}`);
}

const status = (page: Page) => page.locator('[data-run-status]');
const step = (page: Page, name: string) => page.getByRole('tree').locator(`[data-step="${name}"]`);

test('a run is watched, asked about, approved, and seen to complete', async ({ page, server }) => {
  const { gate } = await started(page, server);
  await expect(step(page, 'test')).toHaveAttribute('data-status', 'running');
  await step(page, 'test').click();
  await page.getByRole('tab', { name: /^Log/ }).click();
  await expect(page.getByRole('log')).toContainText('waiting for <b>the gate</b>');
  await writeFile(gate, '');
  await step(page, 'ask').click();
  await expect(page.getByRole('heading', { name: 'Keep “Fix the gate”?' })).toBeVisible();
  await expect(status(page)).toHaveAttribute('data-run-status', 'waiting');
  await expectAccessible(page);
  await page.getByLabel('Comment').fill('Looks right');
  await page.getByRole('button', { name: 'Approve' }).click();
  await expect(status(page)).toHaveAttribute('data-run-status', 'completed');
  await expect(step(page, 'drop')).toHaveAttribute('data-status', 'skipped');
  await page.getByRole('tab', { name: 'Result' }).click();
  await expect(page.getByRole('tabpanel', { name: 'Result' })).toContainText('Fix the gate');
});

test('a page lives through a restart of the server and misses nothing', async ({ page, server }) => {
  const { gate } = await started(page, server);
  await expect(step(page, 'test')).toHaveAttribute('data-status', 'running');
  await server.stop();
  // What else was asked of the server then may tell of it, too.
  const away = page.getByText('it goes on by itself when the server is back');
  await expect(away).toBeVisible();
  await writeFile(gate, '');
  await server.start();
  await expect(away).toBeHidden();
  await step(page, 'ask').click({ timeout: 30_000 });
  await page.getByRole('button', { name: 'Approve' }).click();
  await expect(status(page)).toHaveAttribute('data-run-status', 'completed');
  for (const name of ['read', 'test', 'split', 'each[2]/square', 'keep']) {
    await expect(step(page, name)).toHaveAttribute('data-status', 'completed');
  }
});

test('a rejected run shows its error, is run again from a step, and compared with its source', async ({
  page,
  server,
}) => {
  const { id, gate } = await started(page, server);
  await writeFile(gate, '');
  await step(page, 'ask').click();
  await page.getByRole('button', { name: 'Reject' }).click();
  await expect(status(page)).toHaveAttribute('data-run-status', 'failed');
  await step(page, 'drop').click();
  await expect(page.getByRole('alert').filter({ hasText: 'Nobody wanted it' })).toBeVisible();
  await step(page, 'ask').click();
  await page.getByRole('button', { name: 'Run again from here…' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Do not run the step: say what it gives').check();
  await dialog.getByLabel('What the step gives (JSON)').fill('{"approved": [{"title": "edited"}]}');
  await dialog.getByRole('button', { name: 'Run' }).click();
  await expect(page).not.toHaveURL(new RegExp(id));
  await expect(status(page)).toHaveAttribute('data-run-status', 'completed');
  await page.getByRole('button', { name: 'More actions' }).click();
  await page.getByRole('menuitem', { name: 'Compare with the run' }).click();
  await expect(page.getByRole('heading', { name: 'Compare two runs' })).toBeVisible();
  await expect(page.getByRole('row', { name: /^keep/ })).toHaveAttribute('data-differs');
  await expect(page.getByRole('row', { name: /^read/ })).not.toHaveAttribute('data-differs');
  await expectAccessible(page);
});

test('a run that has failed goes on here when it is let go on elsewhere, and each of its tries tells of itself', async ({
  page,
  server,
}) => {
  await server.write('tried', TRIED);
  const gate = path.join(server.folder, 'gate-tried');
  const run = (await server.request('POST', '/api/v1/runs', { graph: 'tried', inputs: { gate } })) as { id: string };
  await open(page, `/runs/${run.id}`);
  await expect(status(page)).toHaveAttribute('data-run-status', 'failed');
  await page.getByLabel('Which try is shown').selectOption({ index: 0 });
  const shown = page.getByRole('region', { name: 'Look at the gate' });
  await expect(shown.getByRole('alert')).toContainText('no gate yet');
  await expect(shown.getByRole('log').getByText('looking for the gate')).toHaveCount(1);
  await page.getByRole('tab', { name: 'Input' }).click();
  await expect(shown.getByText('Each try of the step was given the same.')).toBeVisible();
  await expectAccessible(page);
  await writeFile(gate, '');
  await server.request('POST', `/api/v1/runs/${run.id}/resume`);
  await expect(status(page)).toHaveAttribute('data-run-status', 'completed');
  await expect(page.getByLabel('Which try is shown').getByRole('option')).toHaveCount(3);
});

test('many pages of one browser show a run to its end: they leave connections to each other', async ({
  page,
  server,
}) => {
  const { id, gate } = await started(page, server);
  const pages = [page];
  for (const hash of ['/graphs/review', '/runs', `/runs/${id}`, `/runs/${id}`, `/runs/${id}`]) {
    const another = await page.context().newPage();
    await another.goto(page.url());
    await open(another, hash);
    pages.push(another);
  }
  const shown = pages.filter((each) => each.url().endsWith(id));
  for (const each of shown) await expect(step(each, 'test')).toHaveAttribute('data-status', 'running');
  await writeFile(gate, '');
  for (const each of shown) await expect(status(each)).toHaveAttribute('data-run-status', 'waiting');
  await expect(pages[2]?.locator(`tr[data-run="${id}"]`) as Locator).toContainText('Waiting');
});

test('one goes back in time and sees the steps of then', async ({ page, server }) => {
  const { gate } = await started(page, server);
  await writeFile(gate, '');
  await expect(status(page)).toHaveAttribute('data-run-status', 'waiting');
  await page.getByRole('button', { name: 'Time travel' }).click();
  const slider = page.getByRole('slider', { name: 'Go through what happened' });
  await slider.focus();
  await page.keyboard.press('Home');
  await expect(page.getByText(/Moment 1 of \d+/)).toBeVisible();
  await expect(step(page, 'ask')).toHaveCount(0);
  await page.getByRole('button', { name: 'Back to now' }).click();
  await expect(step(page, 'ask')).toHaveAttribute('data-status', 'waiting');
});

test('the timeline is walked by keyboard', async ({ page, server }) => {
  const { gate } = await started(page, server);
  await writeFile(gate, '');
  await expect(status(page)).toHaveAttribute('data-run-status', 'waiting');
  await page.getByRole('tab', { name: 'Timeline' }).click();
  const list = page.getByRole('listbox', { name: 'When each step ran' });
  await expect(list.getByRole('option').first()).toBeVisible();
  await list.focus();
  await page.keyboard.press('+');
  await page.keyboard.press('ArrowUp');
  await expect(list.getByRole('option', { selected: true })).toHaveCount(1);
  await expectAccessible(page);
});

test('the list is live, filtered and counted; runs are stopped and deleted together', async ({ page, server }) => {
  const { id, gate } = await started(page, server);
  await open(page, '/runs');
  const row = page.locator(`tr[data-run="${id}"]`);
  await expect(row).toContainText('Running');
  await writeFile(gate, '');
  await expect(row).toContainText('Waiting');
  await expectAccessible(page);
  await page.getByRole('combobox', { name: 'Status' }).click();
  await page.getByRole('option', { name: 'Failed' }).click();
  await expect(row).toHaveCount(0);
  await page.getByRole('option', { name: 'Failed' }).click();
  await page.keyboard.press('Escape');
  await expect(row).toBeVisible();
  await page.getByLabel(`Choose run ${id}`).check();
  await page.getByRole('button', { name: 'Cancel', exact: true }).click();
  await expect(row).toContainText('Cancelled');
  await page.getByLabel(`Choose run ${id}`).check();
  await page.getByRole('button', { name: 'Delete', exact: true }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await expect(row).toHaveCount(0);
});

test('a graph is run by keyboard: its form, its question, its result', async ({ page, server }) => {
  await server.write('review', REVIEW);
  const gate = path.join(server.folder, 'gate-keyboard');
  await writeFile(gate, '');
  await open(page, '/graphs/review');
  await expect(page.getByRole('button', { name: 'Run', exact: true })).toBeVisible();
  await page.keyboard.press('Control+Enter');
  const dialog = page.getByRole('dialog');
  await expect(dialog.getByLabel('Title')).toBeFocused();
  await dialog.getByLabel('Gate').focus();
  await page.keyboard.type(gate);
  await page.keyboard.press('Enter');
  await expect(step(page, 'ask')).toBeVisible();
  await page.getByRole('button', { name: 'Approve' }).focus();
  await page.keyboard.press('Enter');
  await expect(page.getByRole('region', { name: 'Run' }).getByText('Completed').first()).toBeVisible();
  // The same inputs again, without the form.
  await page.keyboard.press('Control+Enter');
  await expect(page.getByRole('button', { name: 'Stop the run' })).toBeVisible();
});

test('a run is shared by a link that needs no login, until it is taken back', async ({ page, server, browser }) => {
  await started(page, server);
  await page.getByRole('button', { name: 'Share…' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('button', { name: 'Make a link' }).click();
  const address = await dialog.getByLabel('Link', { exact: true }).inputValue();
  const stranger = await browser.newPage();
  await stranger.goto(address);
  await expect(stranger.getByText('Review a change').first()).toBeVisible();
  await dialog.getByRole('button', { name: 'Take it back' }).click();
  await expect(dialog.getByLabel('Link', { exact: true })).toHaveCount(0);
  await stranger.reload();
  await expect(stranger.getByText('This link shows nothing')).toBeVisible();
  await stranger.close();
});

test('what a run says is text, never HTML', async ({ page, server }) => {
  const { gate } = await started(page, server, HOSTILE);
  await writeFile(gate, '');
  await step(page, 'ask').click();
  await expect(page.getByRole('heading', { name: /Keep/ }).last()).toContainText('<script>');
  await step(page, 'read').click();
  await expect(page.getByRole('tabpanel', { name: 'Output' })).toContainText('onerror');
  await open(page, '/runs');
  await expect(page.getByRole('table', { name: 'Runs' })).toBeVisible();
  expect(await page.evaluate(() => (window as unknown as { hurt?: number }).hurt)).toBeUndefined();
});

test('a phone shows a run and takes an answer, without going sideways', async ({ page, server }) => {
  await page.setViewportSize({ width: 390, height: 844 });
  const { gate } = await started(page, server);
  await writeFile(gate, '');
  await page.getByRole('button', { name: 'Approve' }).click();
  await expect(status(page)).toHaveAttribute('data-run-status', 'completed');
  expect(await page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth)).toBe(true);
});
