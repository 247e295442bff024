import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { soon } from './soon';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('what several ask for is done once, after the last of them', () => {
  const work = vi.fn();
  const { ask } = soon(work, 1000);
  for (let times = 0; times < 3; times++) {
    ask(100);
    vi.advanceTimersByTime(99);
  }
  expect(work).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1);
  expect(work).toHaveBeenCalledTimes(1);
});

test('who asks all the time does not put it off for ever', () => {
  const work = vi.fn();
  const { ask, stop } = soon(work, 1000);
  for (let at = 0; at < 3000; at += 50) {
    ask(100);
    vi.advanceTimersByTime(50);
  }
  expect(work.mock.calls.length).toBeGreaterThanOrEqual(2);
  expect(work.mock.calls.length).toBeLessThanOrEqual(3);
  ask(100);
  stop();
  work.mockClear();
  vi.advanceTimersByTime(5000);
  expect(work).not.toHaveBeenCalled();
});
