/** The statuses of a run on the canvas: each card hears of its own alone, so a thousand steps a second stay cheap. */

/** What a run says of a node. */
export interface NodeStatus {
  readonly status: string;
  /** How often it has run. */
  readonly runs: number;
  readonly items_in: number;
  /** Items by output port. */
  readonly items_out: { readonly [port: string]: number };
  readonly attempt: number;
  readonly error: { readonly message: string } | null;
  /** What it waits for. */
  readonly waiting: { readonly [name: string]: unknown } | null;
  readonly retrying: boolean;
}

export type ByNode = ReadonlyMap<string, NodeStatus>;

const NONE: ByNode = new Map();

export class Statuses {
  private now: ByNode = NONE;
  private readonly hearers = new Map<string, Set<() => void>>();
  private readonly watchers = new Set<(changed: readonly string[]) => void>();

  /** What a node's status is; undefined where it has none. */
  of(id: string): NodeStatus | undefined {
    return this.now.get(id);
  }

  get any(): boolean {
    return this.now.size > 0;
  }

  /** Show other statuses: those whose objects are the same as before are told to nobody. */
  set(next: ByNode | null): void {
    const before = this.now;
    const after = next ?? NONE;
    if (before === after) return;
    this.now = after;
    const changed: string[] = [];
    for (const [id, status] of after) if (before.get(id) !== status) changed.push(id);
    for (const id of before.keys()) if (!after.has(id)) changed.push(id);
    if (!changed.length) return;
    for (const id of changed) for (const hear of this.hearers.get(id) ?? []) hear();
    for (const watch of this.watchers) watch(changed);
  }

  /** Hear when a node's status changes. */
  hear(id: string, hear: () => void): () => void {
    const all = this.hearers.get(id) ?? new Set();
    this.hearers.set(id, all.add(hear));
    return () => {
      all.delete(hear);
      if (!all.size) this.hearers.delete(id);
    };
  }

  /** Hear of all that changes, at once. */
  watch(watch: (changed: readonly string[]) => void): () => void {
    this.watchers.add(watch);
    return () => this.watchers.delete(watch);
  }
}

/** How a status looks: one of few tones. */
export type Tone = 'running' | 'done' | 'failed' | 'waiting' | 'skipped' | 'none';

/** The tone of a step's status. */
export function toneOf(status: string | undefined): Tone {
  switch (status) {
    case undefined:
      return 'none';
    case 'running':
      return 'running';
    case 'completed':
      return 'done';
    case 'failed':
      return 'failed';
    case 'waiting':
    case 'unknown':
      return 'waiting';
    default:
      return 'skipped';
  }
}
