// @vitest-environment jsdom
import { act, cleanup, configure, renderHook, waitFor } from '@testing-library/react';
import { afterEach, expect, it, vi } from 'vitest';
import { client } from '@/api/client';
import { folded, type RunDetails, type RunEvent, unheard } from './fold';
import { useRunLive } from './live';
import recorded from './recorded.json';

const RUN = recorded[0] as unknown as { details: RunDetails; events: RunEvent[] };

/** A server that has told of the run up to an event, and tells the rest when it is asked to. */
function serverAt(half: number) {
  const state = folded(unheard(RUN.details.id), RUN.events.slice(0, half));
  const first: RunDetails = {
    ...RUN.details,
    status: state.status,
    cursor: state.cursor,
    steps: [...state.steps.values()].map(({ step, node, status, attempt, started_at, ended_at, ...more }) => ({
      ...{ step, node, status, attempt, started_at, ended_at, form: null, error: null },
      ...{ items_in: more.items_in, items_out: { ...more.items_out }, wait: more.wait ? { ...more.wait } : null },
    })),
  };
  let told = half;
  let stream: ReadableStreamDefaultController<Uint8Array> | null = null;
  const asked: string[] = [];
  const encode = (events: RunEvent[]) =>
    new TextEncoder().encode(`id: ${events.at(-1)?.cursor}\ndata: ${JSON.stringify(events)}\n\n`);
  const get = async (address: string, options: { params: { query?: { after?: number } } }) => {
    if (!address.endsWith('/events')) return { data: told < RUN.events.length ? first : RUN.details };
    const after = options.params.query?.after ?? 0;
    const events = RUN.events.filter((event) => event.cursor > after);
    return { data: { events, next: events.at(-1)?.cursor ?? after } };
  };
  vi.spyOn(client, 'GET').mockImplementation((async (address: string, options: never) => ({
    ...(await get(address, options)),
    response: new Response(),
  })) as never);
  vi.stubGlobal('fetch', async (url: string) => {
    asked.push(url);
    const after = Number(new URL(url, location.href).searchParams.get('after'));
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        stream = controller;
        const missed = RUN.events.slice(0, told).filter((event) => event.cursor > after);
        if (missed.length) controller.enqueue(encode(missed));
      },
    });
    return new Response(body);
  });
  return {
    asked,
    tell: (count: number) => {
      const events = RUN.events.slice(told, told + count);
      told += count;
      stream?.enqueue(encode(events));
    },
    hangUp: () => stream?.close(),
  };
}

configure({ asyncUtilTimeout: 10_000 });

afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

it('shows a run from what the server says of it, what was before that, and what comes after, breaks included', async () => {
  const half = 20;
  const server = serverAt(half);
  const { result } = renderHook(() => useRunLive(RUN.details.id));
  await waitFor(() => expect(result.current?.link).toBe('live'));
  expect(result.current?.steps.size).toBe(folded(unheard('r'), RUN.events.slice(0, half)).steps.size);
  act(() => server.tell(5));
  await waitFor(() => expect(result.current?.state.cursor).toBe(RUN.events[half + 4]?.cursor));
  act(() => server.hangUp());
  await waitFor(() => expect(result.current?.link).toBe('away'));
  await waitFor(() => expect(result.current?.link).toBe('live'));
  expect(server.asked.at(-1)).toContain(`after=${RUN.events[half + 4]?.cursor}`);
  act(() => server.tell(RUN.events.length));
  await waitFor(() => expect(result.current?.link).toBe('ended'));
  const run = result.current;
  expect(run?.status).toBe('completed');
  expect(run?.byNode.get('shaky')).toMatchObject({ status: 'failed', attempt: 3 });
  await waitFor(() => expect(result.current?.whole).toBe(true));
  expect(result.current?.steps.get('shaky')?.spans).toHaveLength(3);
  expect(new Map(result.current?.steps)).toEqual(
    new Map(
      [...folded(unheard('r'), RUN.events).steps].map(([name, step]) => [
        name,
        expect.objectContaining({ status: step.status }),
      ]),
    ),
  );
});
