import type { Page } from '@playwright/test';
import { expect, openGraph, test } from './fixtures';

const CHAIN = `pyagent: 1
id: arrange
name: Arrange
nodes:
  - {id: start, use: flow.manual@1, name: Start}
  - {id: one, use: flow.noop@1, name: One}
  # It says what it is for.
  - {id: two, use: flow.noop@1, name: Two, notes: the needle}
edges:
  - start -> one
  - one -> two
layout:
  start: [0, 0]
  one: [300, 70]
  two: [420, 160]
`;

/** Run a command by its name, as a person does who does not know its key. */
async function command(page: Page, name: string): Promise<void> {
  await page.keyboard.press('Control+k');
  await page.getByRole('combobox').fill(name);
  await expect(page.getByRole('option', { selected: true })).toContainText(name);
  await page.keyboard.press('Enter');
}

test('what is selected is aligned, distributed, coloured and tidied by commands, and all is taken back', async ({
  page,
  server,
}) => {
  await server.write('arrange', CHAIN);
  await openGraph(page, 'arrange');
  await page.locator('[data-canvas]').focus();
  await page.keyboard.press('Control+a');
  await command(page, 'Align tops');
  await command(page, 'Distribute across');
  await command(page, 'Colour: blue');
  await page.keyboard.press('Control+s');
  await expect.poll(() => server.read('arrange')).toContain('blue');
  const text = await server.read('arrange');
  expect(text).toMatch(/one: \[210, 0\]/);
  expect(text).toMatch(/two: \[420, 0\]/);
  expect(text).toContain('# It says what it is for.');
  await command(page, 'Tidy up');
  await expect(page.getByRole('button', { name: 'Save', exact: true })).toBeEnabled();
  for (let times = 0; times < 4; times++) await page.keyboard.press('Control+z');
  await page.keyboard.press('Control+s');
  await expect.poll(() => server.read('arrange')).toBe(CHAIN);
});

test('a note is written in place, found again, and stands in the file and in the picture', async ({ page, server }) => {
  await server.write('arrange', CHAIN);
  await openGraph(page, 'arrange');
  await page.locator('[data-canvas]').focus();
  await page.keyboard.press('Shift+S');
  await page.keyboard.press('Control+a');
  await page.keyboard.type('Mind the **gap** & the <edge>');
  await page.keyboard.press('Escape');
  await expect(page.locator('[data-canvas]').getByText('gap')).toBeVisible();
  await page.locator('[data-canvas]').focus();
  await page.keyboard.press('Control+f');
  await page.keyboard.type('needle');
  await expect(page.getByText('1 of 1')).toBeVisible();
  await page.keyboard.press('Enter');
  await page.keyboard.press('Escape');
  await expect(page.locator('[data-card="two"][data-selected]')).toBeVisible();
  const picture = page.waitForEvent('download');
  await command(page, 'Save a picture (SVG)');
  const svg = await (await picture).createReadStream().then(async (stream) => {
    const parts: Buffer[] = [];
    for await (const part of stream) parts.push(part as Buffer);
    return Buffer.concat(parts).toString();
  });
  const names = await page.evaluate((text) => {
    const read = new DOMParser().parseFromString(text, 'image/svg+xml');
    return { broken: read.querySelector('parsererror') !== null, text: read.documentElement.textContent };
  }, svg);
  expect(names.broken).toBe(false);
  for (const text of ['Start', 'One', 'Two', 'gap']) expect(names.text).toContain(text);
  await page.keyboard.press('Control+s');
  await expect.poll(() => server.read('arrange')).toContain('gap');
});
