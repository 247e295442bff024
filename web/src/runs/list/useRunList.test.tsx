// @vitest-environment jsdom
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { act, cleanup, renderHook } from '@testing-library/react';
import type { ReactNode } from 'react';
import { afterEach, expect, it, vi } from 'vitest';
import { client } from '@/api/client';
import { useRunsLive } from './useRunList';

afterEach(() => {
  cleanup();
  vi.useRealTimers();
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

it('follows runs as soon as a server is back that could not be reached when the page came', async () => {
  vi.useFakeTimers();
  const streams: string[] = [];
  vi.stubGlobal('fetch', (url: string) => {
    streams.push(url);
    return Promise.resolve(new Response(new ReadableStream<Uint8Array>()));
  });
  let reachable = false;
  vi.spyOn(client, 'GET').mockImplementation((async () => {
    if (!reachable) throw new TypeError('Failed to fetch');
    return { data: { cursor: 7 }, response: new Response() };
  }) as never);
  const queries = new QueryClient();
  const wrapper = ({ children }: { readonly children: ReactNode }) => (
    <QueryClientProvider client={queries}>{children}</QueryClientProvider>
  );
  const { result } = renderHook(() => useRunsLive(), { wrapper });
  await act(() => vi.advanceTimersByTimeAsync(1));
  expect(result.current).toBe('away');
  expect(streams).toEqual([]);
  reachable = true;
  await act(() => vi.advanceTimersByTimeAsync(2_000));
  expect(result.current).toBe('live');
  expect(streams).toEqual(['/api/v1/events?kinds=run.&batch=1&after=7']);
});
