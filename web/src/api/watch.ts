/** What happens to graph files on disk, as the server tells it: one stream for the whole page. */

import { tellSession } from './session';
import { watchSight } from './sight';
import { takeSlot } from './slots';

/** A graph's file has changed on disk; without a hash it is gone, or cannot be read. */
export interface FileChange {
  readonly graph: string;
  readonly file: string;
  readonly text_hash: string | null;
  readonly kind: 'added' | 'changed' | 'removed';
}

type Listener = (change: FileChange | null) => void;

const listeners = new Set<Listener>();
let stream: EventSource | null = null;
let later: ReturnType<typeof setTimeout> | undefined;
let unwatch: (() => void) | null = null;
/** Gives the connection back. */
let release: (() => void) | null = null;
/** Which beginning is the last one. */
let turn = 0;

/** How long until a stream that the server has refused is asked for again, in milliseconds. */
const AGAIN = 3_000;
/** How long between two looks, where no connection is left for a stream. */
const LOOK = 10_000;

/** Be told of changed files, and with null whenever the stream begins anew. Gives the function that ends it. */
export function watchGraphs(listener: Listener): () => void {
  listeners.add(listener);
  if (listeners.size === 1) {
    void begin();
    // What changes out of sight is seen by beginning anew.
    unwatch = watchSight(end, () => void begin());
  }
  return () => {
    listeners.delete(listener);
    if (listeners.size > 0) return;
    unwatch?.();
    end();
  };
}

function end(): void {
  clearTimeout(later);
  stream?.close();
  stream = null;
  release?.();
  release = null;
  turn += 1;
}

function tell(change: FileChange | null): void {
  for (const listener of listeners) listener(change);
}

async function begin(): Promise<void> {
  turn += 1;
  const mine = turn;
  const slot = await takeSlot();
  if (mine !== turn) return slot?.();
  if (!slot) {
    // No connection is left: what has changed is seen by looking.
    tell(null);
    later = setTimeout(() => void begin(), LOOK);
    return;
  }
  release = slot;
  const source = new EventSource('/api/v1/graphs/watch');
  stream = source;
  source.addEventListener('ready', () => {
    tellSession(true);
    tell(null);
  });
  source.addEventListener('message', (event: MessageEvent<string>) => tell(JSON.parse(event.data) as FileChange));
  source.addEventListener('error', () => {
    // A browser asks again by itself, but for an answer that is no stream: nobody is let in, or the server stops.
    if (source.readyState !== EventSource.CLOSED || stream !== source) return;
    end();
    later = setTimeout(() => void begin(), AGAIN);
  });
}
