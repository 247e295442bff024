import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { patient } from './patience';

const busy = () => new Response('{}', { status: 503, headers: { 'Retry-After': '1' } });
const asked = vi.fn<(request: Request) => Promise<Response>>();

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal('fetch', asked);
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
  asked.mockReset();
});

test('a server that is busy is asked again, with the same body', async () => {
  asked.mockResolvedValueOnce(busy()).mockResolvedValueOnce(new Response('done'));
  const answer = patient(new Request('http://host/', { method: 'POST', body: 'text' }));
  await vi.runAllTimersAsync();
  expect(await (await answer).text()).toBe('done');
  expect(await asked.mock.calls[1]?.[0].text()).toBe('text');
});

test('a server that stays busy is not asked for ever', async () => {
  asked.mockImplementation(async () => busy());
  const answer = patient(new Request('http://host/'));
  await vi.runAllTimersAsync();
  expect((await answer).status).toBe(503);
  expect(asked).toHaveBeenCalledTimes(4);
});

test('a request that is given up does not wait', async () => {
  asked.mockImplementation(async () => busy());
  const control = new AbortController();
  const answer = patient(new Request('http://host/', { signal: control.signal }));
  control.abort();
  await expect(answer).rejects.toThrow('given up');
});
