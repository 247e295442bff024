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

/** The file that a command gives to the person. */
async function saved(page: Page, name: string): Promise<Buffer> {
  const given = page.waitForEvent('download');
  await command(page, name);
  const parts: Buffer[] = [];
  for await (const part of await (await given).createReadStream()) parts.push(part as Buffer);
  return Buffer.concat(parts);
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
  const svg = (await saved(page, 'Save a picture (SVG)')).toString();
  const names = await page.evaluate((text) => {
    const read = new DOMParser().parseFromString(text, 'image/svg+xml');
    return { broken: read.querySelector('parsererror') !== null, text: read.documentElement.textContent };
  }, svg);
  expect(names.broken).toBe(false);
  for (const text of ['Start', 'One', 'Two', 'gap']) expect(names.text).toContain(text);
  await page.keyboard.press('Control+s');
  await expect.poll(() => server.read('arrange')).toContain('gap');
});

test('a picture as PNG is as large as the graph, twice as fine, and shows something', async ({ page, server }) => {
  await server.write('arrange', CHAIN);
  await openGraph(page, 'arrange');
  await page.locator('[data-canvas]').focus();
  const svg = (await saved(page, 'Save a picture (SVG)')).toString();
  const [width, height] = ['width', 'height'].map((side) => Number(new RegExp(`${side}="([\\d.]+)"`).exec(svg)?.[1]));
  const png = await saved(page, 'Save a picture (PNG)');
  expect(png.subarray(0, 8).toString('hex')).toBe('89504e470d0a1a0a');
  expect([png.readUInt32BE(16), png.readUInt32BE(20)]).toEqual([2 * (width ?? 0), 2 * (height ?? 0)].map(Math.ceil));
  const colors = await page.evaluate(
    async (bytes) => {
      const image = await createImageBitmap(new Blob([new Uint8Array(bytes)], { type: 'image/png' }));
      const canvas = new OffscreenCanvas(image.width, image.height);
      const context = canvas.getContext('2d');
      context?.drawImage(image, 0, 0);
      const pixels = new Uint32Array(
        context?.getImageData(0, 0, image.width, image.height).data.buffer ?? new ArrayBuffer(),
      );
      return new Set(pixels).size;
    },
    [...png],
  );
  expect(colors).toBeGreaterThan(20);
});

test('a frame is put around nodes, named, moved with them, tidied with them, and taken back', async ({
  page,
  server,
}) => {
  await server.write('arrange', CHAIN);
  await openGraph(page, 'arrange');
  const text = async () => {
    await page.keyboard.press('Control+s');
    await expect(page.getByText('Saved', { exact: true })).toBeVisible();
    return server.read('arrange');
  };
  await page.locator('[data-card="one"]').click();
  await page.locator('[data-card="two"]').click({ modifiers: ['Shift'] });
  await page.keyboard.press('Shift+F');
  await page.getByRole('textbox', { name: 'Title of the frame' }).fill('Both');
  await page.keyboard.press('Enter');
  const title = page.locator('[data-frame]');
  await expect(title).toHaveText('Both');
  await page.locator('[data-canvas]').focus();
  expect(await text()).toMatch(/at: \[270, 10\]\s+size: \[348, 236\]|at: \[270, 10\], size: \[348, 236\]/);
  const from = await title.boundingBox();
  if (!from) throw new Error('The frame has no title.');
  await page.mouse.move(from.x + 10, from.y + 5);
  await page.mouse.down();
  await page.mouse.move(from.x + 110, from.y + 105, { steps: 4 });
  await page.mouse.up();
  await expect(page.getByRole('button', { name: 'Save', exact: true })).toBeEnabled();
  const moved = placesOf(await text());
  // What it holds has moved as far as it has, and the node outside has not.
  expect(moved.one?.map((at, index) => at - (moved.at?.[index] ?? 0))).toEqual([30, 60]);
  expect(moved.two?.map((at, index) => at - (moved.at?.[index] ?? 0))).toEqual([150, 150]);
  expect(moved.at?.[0]).toBeGreaterThan(270);
  expect(moved.start).toEqual([0, 0]);
  await command(page, 'Tidy up');
  await expect(page.getByRole('button', { name: 'Save', exact: true })).toBeEnabled();
  const tidied = placesOf(await text());
  expect(tidied.one?.map((at, index) => at - (tidied.at?.[index] ?? 0))).toEqual([30, 60]);
  expect(tidied.two?.[1]).toBe(tidied.one?.[1]);
  for (let times = 0; times < 4; times++) await page.keyboard.press('Control+z');
  await expect(title).toHaveCount(0);
  expect(await text()).toBe(CHAIN);
});

/** Places that a file says: of nodes by their ids, of the frame as `at`. */
function placesOf(text: string): { readonly [id: string]: readonly number[] } {
  const found = [...text.matchAll(/\b(\w+): \[(-?\d+), (-?\d+)\]/g)];
  return Object.fromEntries(found.map(([, id, x, y]) => [id, [Number(x), Number(y)]]));
}
