import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { tellSession, watchSession } from './session';
import { follow, type Link, type Message, MessageReader } from './stream';

const WHOLE =
  'retry: 1000\n\n: alive\n\nid: 1\ndata: {"a": 1}\n\nid: 2\r\ndata: x\r\ndata: y\r\n\r\nevent: stopping\ndata: {}\n\n';

describe('reading a stream', () => {
  it('finds the same messages in any pieces', () => {
    const expected = new MessageReader().push(WHOLE);
    expect(expected).toEqual([
      { event: 'message', id: '1', data: '{"a": 1}' },
      { event: 'message', id: '2', data: 'x\ny' },
      { event: 'stopping', id: '2', data: '{}' },
    ]);
    fc.assert(
      fc.property(fc.array(fc.nat({ max: WHOLE.length })), (cuts) => {
        const reader = new MessageReader();
        const places = [0, ...cuts.sort((a, b) => a - b), WHOLE.length];
        const found = places.slice(1).flatMap((end, index) => reader.push(WHOLE.slice(places[index], end)));
        expect(found).toEqual(expected);
      }),
    );
  });
});

describe('following a stream', () => {
  afterEach(() => {
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });

  function answers(...texts: (string | number)[]) {
    const asked: string[] = [];
    const get = vi.fn(async (url: unknown) => {
      asked.push(String(url));
      const next = texts.shift() ?? 503;
      return typeof next === 'number' ? new Response('', { status: next }) : new Response(next);
    });
    return { asked, get: get as unknown as typeof fetch };
  }

  it('goes on after a break behind the last message that it saw', async () => {
    vi.useFakeTimers();
    const { asked, get } = answers(
      'id: 5\ndata: a\n\nid: 6\ndata: b\n\n',
      503,
      'id: 7\ndata: c\n\nevent: stopping\ndata: z\n\n',
    );
    const seen: Message[] = [];
    const links: Link[] = [];
    const stop = follow({ url: '/e', after: 4, take: (m) => seen.push(...m), link: (l) => links.push(l), fetch: get });
    await vi.waitFor(async () => {
      await vi.advanceTimersByTimeAsync(1000);
      expect(seen.map((message) => message.data)).toEqual(['a', 'b', 'c']);
    });
    stop();
    expect(asked.slice(0, 3)).toEqual(['/e?after=4', '/e?after=6', '/e?after=6']);
    expect(links.slice(0, 4)).toEqual(['connecting', 'live', 'away', 'away']);
  });

  it('hands on what has come also where no frame is drawn any more', async () => {
    vi.stubGlobal('requestAnimationFrame', () => 0);
    const { get } = answers('id: 5\ndata: a\n\n');
    const told = await new Promise<readonly Message[]>((resolve) => {
      const stop = follow({
        ...{ url: '/e', after: 4, link: () => {}, fetch: get },
        take: (messages) => {
          stop();
          resolve(messages);
        },
      });
    });
    expect(told.map((message) => message.data)).toEqual(['a']);
  });

  it('asks for pages where no connection is left, and is told what was forgotten', async () => {
    vi.useFakeTimers();
    const locks = { request: async (_: string, __: object, take: (lock: null) => unknown) => take(null) };
    vi.stubGlobal('window', { navigator: { locks }, addEventListener: () => {}, removeEventListener: () => {} });
    const pages: [number, object][] = [
      [200, { events: [{ cursor: 5 }], next: 9 }],
      [410, { details: { kept_after: 30 } }],
      [200, { events: [{ cursor: 31 }], next: 31 }],
    ];
    const asked: string[] = [];
    const get = (async (url: unknown, { headers }: { headers: { Accept: string } }) => {
      asked.push(`${headers.Accept} ${url}`);
      const [status, body] = pages.shift() ?? [200, { events: [], next: 31 }];
      return new Response(JSON.stringify(body), { status });
    }) as unknown as typeof fetch;
    const cursors: number[] = [];
    const stop = follow({
      ...{ url: '/e', after: 4, link: () => {}, fetch: get },
      take: (messages) => {
        for (const { data } of messages) for (const { cursor } of JSON.parse(data)) cursors.push(cursor);
      },
    });
    await vi.waitFor(async () => {
      await vi.advanceTimersByTimeAsync(1000);
      expect(cursors).toEqual([5, 30, 31]);
    });
    stop();
    expect(asked.slice(0, 3)).toEqual([4, 9, 30].map((after) => `application/json /e?after=${after}`));
  });

  it('waits where one has to get in again, and goes on by itself when that is done', async () => {
    const { asked, get } = answers(401, 'id: 3\ndata: a\n\n');
    const seen: Message[] = [];
    const links: Link[] = [];
    const heard: boolean[] = [];
    const stopHearing = watchSession((isIn) => heard.push(isIn));
    const stop = follow({ url: '/e', after: 0, take: (m) => seen.push(...m), link: (l) => links.push(l), fetch: get });
    await vi.waitFor(() => expect(heard).toEqual([false]));
    expect(links).toEqual(['connecting', 'locked']);
    tellSession(true);
    await vi.waitFor(() => expect(seen.map((message) => message.data)).toEqual(['a']));
    stop();
    stopHearing();
    expect(asked.slice(0, 2)).toEqual(['/e?after=0', '/e?after=0']);
  });

  it('ends where there is nothing to follow any more', async () => {
    const { asked, get } = answers(404);
    const link = await new Promise<Link>((resolve) => {
      follow({ url: '/e', after: 0, take: () => {}, link: (l) => l !== 'connecting' && resolve(l), fetch: get });
    });
    expect(link).toBe('gone');
    tellSession(false);
    tellSession(true);
    expect(asked).toEqual(['/e?after=0']);
  });
});
