// @vitest-environment jsdom
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { watchSight } from './sight';

let told: string[] = [];
let end = () => {};

function see(state: 'visible' | 'hidden') {
  vi.spyOn(document, 'hidden', 'get').mockReturnValue(state === 'hidden');
  document.dispatchEvent(new Event('visibilitychange'));
}

beforeEach(() => {
  vi.useFakeTimers();
  told = [];
});

afterEach(() => {
  end();
  vi.useRealTimers();
  vi.restoreAllMocks();
});

it('tells when a page has been out of sight for a while, and when it is seen again', () => {
  end = watchSight(
    () => told.push('left'),
    () => told.push('back'),
  );
  see('hidden');
  vi.advanceTimersByTime(4_000);
  see('visible');
  vi.advanceTimersByTime(60_000);
  expect(told).toEqual([]);
  see('hidden');
  vi.advanceTimersByTime(60_000);
  expect(told).toEqual(['left']);
  see('visible');
  see('visible');
  expect(told).toEqual(['left', 'back']);
});

it('tells so of a page that was opened out of sight', () => {
  see('hidden');
  end = watchSight(
    () => told.push('left'),
    () => told.push('back'),
  );
  vi.advanceTimersByTime(60_000);
  see('visible');
  expect(told).toEqual(['left', 'back']);
});
