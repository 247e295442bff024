// @vitest-environment jsdom
import { act, cleanup, configure, renderHook, waitFor } from '@testing-library/react';
import { afterEach, expect, it, vi } from 'vitest';
import { folded, type RunDetails, type RunEvent, unheard } from './fold';
import recorded from './recorded.json';

const RUN = recorded[0] as unknown as { details: RunDetails; events: RunEvent[] };

/** A server that has told of the run up to an event, and tells the rest when it is asked to. */
async function serverAt(half: number) {
  // A page of its own: sources and streams are kept for a moment.
  vi.resetModules();
  const [{ client }, { useRunLive }] = await Promise.all([import('@/api/client'), import('./live')]);
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
  let resumed: RunEvent[] = [];
  let stream: ReadableStreamDefaultController<Uint8Array> | null = null;
  /** Of what happens to all runs. */
  let news: ReadableStreamDefaultController<Uint8Array> | null = null;
  const asked: string[] = [];
  const encode = (events: RunEvent[]) =>
    new TextEncoder().encode(`id: ${events.at(-1)?.cursor}\ndata: ${JSON.stringify(events)}\n\n`);
  const get = async (address: string, options: { params: { query?: { after?: number } } }) => {
    if (!address.endsWith('/events')) {
      if (!resumed.length) return { data: told < RUN.events.length ? first : RUN.details };
      const { status } = folded(unheard(RUN.details.id), [...RUN.events, ...resumed]);
      return { data: { ...RUN.details, status, cursor: resumed.at(-1)?.cursor } };
    }
    const after = options.params.query?.after ?? 0;
    const events = [...RUN.events.slice(0, told), ...resumed].filter((event) => event.cursor > after);
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
        if (url.startsWith('/api/v1/events')) {
          news = controller;
          return;
        }
        stream = controller;
        const missed = [...RUN.events.slice(0, told), ...resumed].filter((event) => event.cursor > after);
        if (missed.length) controller.enqueue(encode(missed));
      },
    });
    return new Response(body);
  });
  return {
    asked,
    useRunLive,
    tell: (count: number) => {
      const events = RUN.events.slice(told, told + count);
      told += count;
      stream?.enqueue(encode(events));
    },
    /** Somebody lets the run go on that has ended, and it tells of that. */
    resume: () => {
      const last = RUN.events.at(-1) as RunEvent;
      resumed = [{ ...last, cursor: last.cursor + 1, kind: 'run.resumed', data: {} }];
      news?.enqueue(encode(resumed));
    },
    end: () => {
      const last = RUN.events.at(-1) as RunEvent;
      const ended = { ...last, cursor: last.cursor + 2, kind: 'run.failed', data: {} };
      resumed = [...resumed, ended];
      stream?.enqueue(encode([ended]));
    },
    watched: () => news !== null,
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
  const server = await serverAt(half);
  const { result } = renderHook(() => server.useRunLive(RUN.details.id));
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

it('follows a run that had ended and that somebody lets go on elsewhere', async () => {
  const server = await serverAt(RUN.events.length);
  const { result } = renderHook(() => server.useRunLive(RUN.details.id));
  await waitFor(() => expect(result.current?.whole).toBe(true));
  expect(result.current?.link).toBe('ended');
  await waitFor(() => expect(server.watched()).toBe(true));
  expect(server.asked).toHaveLength(1);
  expect(server.asked[0]).toContain(`/api/v1/events?kinds=run.&batch=1&after=${RUN.details.cursor}`);
  act(() => server.resume());
  await waitFor(() => expect(result.current?.link).toBe('live'));
  expect(result.current?.status).toBe('running');
  act(() => server.end());
  await waitFor(() => expect(result.current?.link).toBe('ended'));
  expect(result.current?.status).toBe('failed');
});
