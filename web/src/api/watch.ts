/** What happens to graph files on disk, as the server tells it: one stream for the whole page. */

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

/** Be told of changed files, and with null whenever the stream begins anew. Gives the function that ends it. */
export function watchGraphs(listener: Listener): () => void {
  listeners.add(listener);
  stream ??= begin();
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0) {
      stream?.close();
      stream = null;
    }
  };
}

function begin(): EventSource {
  const source = new EventSource('/api/v1/graphs/watch');
  const tell = (change: FileChange | null) => {
    for (const listener of listeners) listener(change);
  };
  source.addEventListener('ready', () => tell(null));
  source.addEventListener('message', (event: MessageEvent<string>) => tell(JSON.parse(event.data) as FileChange));
  return source;
}
