// @vitest-environment jsdom
import { afterEach, expect, it, vi } from 'vitest';
import { takeSlot } from './slots';

afterEach(() => vi.unstubAllGlobals());

/** The locks of a browser, as far as they are needed. */
function browser() {
  const held = new Set<string>();
  const request = async (name: string, _: object, take: (lock: object | null) => unknown) => {
    if (held.has(name)) return take(null);
    held.add(name);
    await take({ name });
    held.delete(name);
  };
  vi.stubGlobal('navigator', { locks: { request } });
}

it('lets pages hold four connections, and another one when one is given back', async () => {
  browser();
  const held = await Promise.all([1, 2, 3, 4].map(() => takeSlot()));
  expect(held).not.toContain(null);
  expect(await takeSlot()).toBeNull();
  held[2]?.();
  await Promise.resolve();
  expect(await takeSlot()).not.toBeNull();
  expect(await takeSlot()).toBeNull();
});

it('leaves one always where the browser cannot count', async () => {
  vi.stubGlobal('navigator', {});
  for (let n = 0; n < 9; n++) expect(await takeSlot()).not.toBeNull();
});
