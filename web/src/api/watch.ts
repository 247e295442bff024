/** What happens to graph files on disk, as the server tells it: one stream for the whole page. */

import { tellSession } from './session';
import { watchSight } from './sight';

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

/** How long until a stream that the server has refused is asked for again, in milliseconds. */
const AGAIN = 3_000;

/** Be told of changed files, and with null whenever the stream begins anew. Gives the function that ends it. */
export function watchGraphs(listener: Listener): () => void {
  listeners.add(listener);
  if (listeners.size === 1) {
    begin();
    // What changes out of sight is seen by beginning anew.
    unwatch = watchSight(end, begin);
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
}

function begin(): void {
  const source = new EventSource('/api/v1/graphs/watch');
  stream = source;
  const tell = (change: FileChange | null) => {
    for (const listener of listeners) listener(change);
  };
  source.addEventListener('ready', () => {
    tellSession(true);
    tell(null);
  });
  source.addEventListener('message', (event: MessageEvent<string>) => tell(JSON.parse(event.data) as FileChange));
  source.addEventListener('error', () => {
    // A browser asks again by itself, but for an answer that is no stream: nobody is let in, or the server stops.
    if (source.readyState !== EventSource.CLOSED || stream !== source) return;
    later = setTimeout(begin, AGAIN);
  });
}
