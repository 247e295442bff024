// @vitest-environment jsdom
import { afterEach, expect, it, vi } from 'vitest';
import { watchRuns } from './runEvents';

afterEach(() => vi.unstubAllGlobals());

/** A server whose streams tell what the test wants. */
function server() {
  const asked: string[] = [];
  let stream: ReadableStreamDefaultController<Uint8Array> | null = null;
  vi.stubGlobal('fetch', async (url: string) => {
    asked.push(url);
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        stream = controller;
      },
    });
    return new Response(body);
  });
  const tell = (cursor: number, kind = 'run.resumed') => {
    const events = JSON.stringify([{ cursor, kind, run_id: 'r', step: '', at: '', data: {} }]);
    stream?.enqueue(new TextEncoder().encode(`id: ${cursor}\ndata: ${events}\n\n`));
  };
  return { asked, tell, open: () => vi.waitFor(() => expect(stream).not.toBeNull()) };
}

/** Somebody who hears, and the cursors of what was heard; null where something may have been missed. */
function hearer(after: number) {
  const heard: (number | null)[] = [];
  const end = watchRuns(after, {
    hear: (events) => void heard.push(...(events?.map((event) => event.cursor) ?? [null])),
  });
  return { heard, end };
}

it('is one stream for all who listen, and who comes late is told to look', async () => {
  const { asked, tell, open } = server();
  const first = hearer(10);
  await open();
  tell(12);
  await vi.waitFor(() => expect(first.heard).toEqual([12]));
  const late = hearer(11);
  const new_ = hearer(12);
  await vi.waitFor(() => expect(late.heard).toEqual([null]));
  tell(15);
  await vi.waitFor(() => expect(new_.heard).toEqual([15]));
  expect(late.heard).toEqual([null, 15]);
  tell(20, 'stream.forgotten');
  await vi.waitFor(() => expect(first.heard).toEqual([12, 15, null]));
  expect(asked).toEqual(['/api/v1/events?kinds=run.&batch=1&after=10']);
  for (const each of [first, late, new_]) each.end();
});

it('begins anew for who listens after all have left', async () => {
  const { asked, open } = server();
  const one = hearer(30);
  await open();
  one.end();
  const another = hearer(40);
  await vi.waitFor(() => expect(asked.at(-1)).toContain('after=40'));
  another.end();
});
