/** What happens to runs anywhere, whoever asks it of them: one stream for the whole page. */

import type { Schemas } from './client';
import { follow, type Link } from './stream';

type RunEvents = readonly Schemas['EventView'][];

interface Hearer {
  /** Events of kinds `run.`; null where some may have been missed. */
  readonly hear: (events: RunEvents | null) => void;
  readonly link?: (link: Link) => void;
}

const hearers = new Set<Hearer>();
let stop: (() => void) | null = null;
let link: Link = 'connecting';
/** Cursor of the last event that was told. */
let last = 0;

/** Be told of what happens to runs after the cursor, or a little earlier. Gives the function that ends it. */
export function watchRuns(after: number, hearer: Hearer): () => void {
  hearers.add(hearer);
  if (!stop) begin(after);
  else {
    hearer.link?.(link);
    if (after < last) queueMicrotask(() => hearers.has(hearer) && hearer.hear(null));
  }
  return () => {
    hearers.delete(hearer);
    if (hearers.size > 0) return;
    stop?.();
    stop = null;
  };
}

function begin(after: number): void {
  last = after;
  stop = follow({
    url: '/api/v1/events?kinds=run.&batch=1',
    after,
    take: (messages) => {
      const events = messages.flatMap((message) => JSON.parse(message.data) as Schemas['EventView'][]);
      for (const { cursor } of events) last = Math.max(last, cursor);
      const missed = events.some((event) => event.kind === 'stream.forgotten');
      for (const hearer of [...hearers]) hearer.hear(missed ? null : events);
    },
    link: (now) => {
      link = now;
      for (const hearer of [...hearers]) hearer.link?.(now);
    },
  });
}
