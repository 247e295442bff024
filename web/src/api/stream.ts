/** Server-Sent Events that lose nothing: messages in batches, taken up again after a break where they ended. */

import { tellSession, watchSession } from './session';
import { hidden, watchSight } from './sight';
import { takeSlot } from './slots';

/** How a stream stands: `away` tries again by itself, `locked` when the session begins anew; `gone` has ended. */
export type Link = 'connecting' | 'live' | 'away' | 'locked' | 'gone';

export interface Message {
  /** `message` where it has no other. */
  readonly event: string;
  readonly id: string;
  readonly data: string;
}

/** Reads the lines of a stream from pieces that end anywhere. */
export class MessageReader {
  #rest = '';
  #event = '';
  #id = '';
  #data: string[] = [];

  /** The messages that are whole with this piece. */
  push(piece: string): Message[] {
    const found: Message[] = [];
    const lines = (this.#rest + piece).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const each of lines) {
      const line = each.endsWith('\r') ? each.slice(0, -1) : each;
      if (line === '') {
        if (this.#data.length)
          found.push({ event: this.#event || 'message', id: this.#id, data: this.#data.join('\n') });
        this.#event = '';
        this.#data = [];
        continue;
      }
      const colon = line.indexOf(':');
      if (colon === 0) continue;
      const name = colon < 0 ? line : line.slice(0, colon);
      const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
      if (name === 'data') this.#data.push(value);
      else if (name === 'event') this.#event = value;
      else if (name === 'id') this.#id = value;
    }
    return found;
  }
}

interface StreamOptions {
  /** Of events, as a stream and as pages; without `after`. */
  readonly url: string;
  /** Where to begin: the id of the last message that was seen. */
  readonly after: number;
  /** Messages in order, once a frame of the screen at most. */
  readonly take: (messages: readonly Message[]) => void;
  readonly link: (link: Link) => void;
  readonly fetch?: typeof fetch;
}

const SHORTEST = 500;
const LONGEST = 8_000;
/** How long between two pages, where no connection is left for a stream. */
const ASK = 1_500;
/** A page that nobody sees draws no frames, and must not gather for ever: messages are handed on after this time. */
const LATEST = 100;

/** Follow a stream until the returned function is called. */
export function follow({ url, after, take, link, fetch: get = fetch }: StreamOptions): () => void {
  let seen = after;
  let closed = false;
  let wait = SHORTEST;
  let connection: AbortController | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let gathered: Message[] = [];
  const frame = typeof requestAnimationFrame === 'function' ? requestAnimationFrame : null;

  const gather = (messages: Message[]) => {
    if (!messages.length) return;
    gathered.push(...messages);
    if (gathered.length > messages.length) return;
    if (frame && !hidden()) frame(hand);
    // Also where the page goes out of sight before the frame is drawn.
    setTimeout(hand, LATEST);
  };
  const hand = () => {
    const batch = gathered;
    gathered = [];
    if (batch.length && !closed) take(batch);
  };

  async function connect(): Promise<void> {
    const mine = new AbortController();
    connection = mine;
    const release = await takeSlot();
    try {
      if (closed || mine.signal.aborted) return;
      const response = await get(`${url}${url.includes('?') ? '&' : '?'}after=${seen}`, {
        headers: { Accept: release ? 'text/event-stream' : 'application/json', 'Last-Event-ID': String(seen) },
        credentials: 'same-origin',
        signal: mine.signal,
      });
      if (response.status === 401 || response.status === 403) return lock(response.status === 401);
      if (response.status === 404) return end();
      if (!release) {
        await readPage(response);
        if (closed || mine.signal.aborted) return;
        link('live');
        timer = setTimeout(() => void connect(), ASK);
        return;
      }
      if (!response.ok || !response.body) throw new Error(`the server answered ${response.status}`);
      link('live');
      wait = SHORTEST;
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      const messages = new MessageReader();
      for (;;) {
        const { done, value } = await reader.read();
        if (done || closed) break;
        const found = messages.push(value);
        for (const { id } of found) if (id) seen = Math.max(seen, Number(id));
        gather(found.filter((message) => message.event === 'message'));
      }
    } catch {
      // What broke the stream does not matter: it is taken up again.
    } finally {
      release?.();
    }
    if (mine.signal.aborted || closed) return;
    again();
  }

  /** Where no connection is left to be held: the events since then, as a page, told as the stream tells them. */
  async function readPage(response: Response): Promise<void> {
    const answer = await response.json();
    if (response.status === 410) {
      const kept = Number(answer.details?.kept_after);
      answer.events = [{ cursor: kept, run_id: '', kind: 'stream.forgotten', step: '', at: '', data: {} }];
      answer.next = kept;
    } else if (!response.ok) throw new Error(`the server answered ${response.status}`);
    const { events, next } = answer as { events: readonly unknown[]; next: number };
    wait = SHORTEST;
    seen = Math.max(seen, next);
    if (events.length) gather([{ event: 'message', id: String(next), data: JSON.stringify(events) }]);
  }

  function again(): void {
    link('away');
    clearTimeout(timer);
    timer = setTimeout(() => void connect(), wait);
    wait = Math.min(wait * 2, LONGEST);
  }

  /** Nobody is let in; `isEnded`: because the session has ended, and not for want of a right. */
  function lock(isEnded: boolean): void {
    if (closed) return;
    link('locked');
    if (isEnded) tellSession(false);
  }

  function end(): void {
    if (!closed) link('gone');
    close();
  }

  function now(): void {
    if (closed) return;
    clearTimeout(timer);
    connection?.abort();
    wait = SHORTEST;
    void connect();
  }

  function online(): void {
    if (!hidden()) now();
  }

  function leave(): void {
    clearTimeout(timer);
    connection?.abort();
  }

  function close(): void {
    closed = true;
    leave();
    unwatch();
    unwatchSession();
    if (typeof window !== 'undefined') window.removeEventListener('online', online);
  }

  const unwatch = watchSight(leave, now);
  const unwatchSession = watchSession((isIn) => isIn && now());
  if (typeof window !== 'undefined') window.addEventListener('online', online);
  link('connecting');
  void connect();
  return close;
}
