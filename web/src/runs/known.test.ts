import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  ENDED,
  folded,
  type RunDetails,
  type RunEvent,
  type RunState,
  reconciled,
  type StepLive,
  unheard,
} from './fold';
import { type Known, looked, read, told, unfollowed, unknown } from './known';
import recorded from './recorded.json';

const RUNS = (recorded as unknown as readonly { details: RunDetails; events: RunEvent[] }[]).slice(0, 2);
const kinds = ['commit', 'look', 'row', 'page', 'deliver', 'break', 'forget', 'others'] as const;
type Act = readonly [(typeof kinds)[number], number];

/** What the server says of a run whose events came to `status` and to `steps`: they are read one after the other. */
function detailsOf(run: RunDetails, cursor: number, status: RunState, steps: RunState): RunDetails {
  return {
    ...{ ...run, cursor, status: status.status, started_at: status.started_at, ended_at: status.ended_at },
    steps: [...steps.steps.values()].map(({ step, node, status, attempt, started_at, ended_at, ...more }) => ({
      ...{ step, node, status, attempt, started_at, ended_at, form: null, error: more.error && { ...more.error } },
      ...{ items_in: more.items_in, items_out: { ...more.items_out }, wait: more.wait && { ...more.wait } },
    })),
  };
}

/** A server, the net, and a page that asks: each act takes one of them a little further. */
class World {
  known: Known;
  /** Events that are committed. */
  committed = 0;
  /** Of other runs; they move the cursor that a look begins with. */
  #others = 0;
  #forgotten = 0;
  /** Where the stream is; null while there is none. */
  #stream: number | null = null;
  #look: { cursor: number; status: RunState | null } | null = null;
  #pageAt: number | null = null;
  readonly #run: { details: RunDetails; events: RunEvent[] };

  constructor(run: { details: RunDetails; events: RunEvent[] }) {
    this.#run = run;
    this.known = unknown(run.details.id);
  }

  get #cursor(): number {
    return Math.max(this.#run.events[this.committed - 1]?.cursor ?? 0, this.#others);
  }

  #state(): RunState {
    return folded(unheard(this.#run.details.id), this.#run.events.slice(0, this.committed));
  }

  #after(cursor: number, limit: number): RunEvent[] {
    const kept = this.#run.events.slice(0, this.committed).filter((event) => event.cursor > this.#forgotten);
    return kept.filter((event) => event.cursor > cursor).slice(0, limit);
  }

  act([kind, size]: Act): void {
    if (kind === 'commit') {
      this.committed = Math.min(this.#run.events.length, this.committed + size);
    } else if (kind === 'others') {
      // What follows has later cursors, as the recorded ones have gaps only before and between runs.
      if (this.committed === this.#run.events.length) this.#others = this.#cursor + size;
    } else if (kind === 'forget') {
      // What nobody has read yet may be forgotten.
      this.#forgotten = Math.max(this.#forgotten, (this.#run.events[0]?.cursor ?? 0) + size - 1);
      this.#forgotten = Math.min(this.#forgotten, this.#cursor);
    } else if (kind === 'look') {
      this.#look ??= { cursor: this.#cursor, status: null };
    } else if (kind === 'row') {
      this.#answer();
    } else if (kind === 'page') {
      this.#page(size);
    } else if (kind === 'deliver') {
      this.#deliver(size, 0);
    } else {
      this.#deliver(size, size);
    }
  }

  #answer(): void {
    if (!this.#look) return;
    if (!this.#look.status) {
      this.#look.status = this.#state();
      return;
    }
    const details = detailsOf(this.#run.details, this.#look.cursor, this.#look.status, this.#state());
    this.#look = null;
    this.known = looked(this.known, details);
    if (ENDED.has(this.known.state.status)) {
      this.#stream = null;
      this.known = unfollowed(this.known);
    } else this.#stream ??= this.known.wanted ?? this.known.log.cursor;
    this.#pageAt ??= this.known.wanted === null ? null : this.known.log.cursor;
  }

  #page(limit: number): void {
    if (this.known.wanted === null || this.#pageAt === null) return;
    const after = Math.max(this.#pageAt, this.#forgotten);
    const events = this.#after(after, limit);
    const next = events.at(-1)?.cursor ?? after;
    const last = events.length < limit || next >= this.known.wanted;
    this.known = read(this.known, events, last);
    this.#pageAt = last ? null : next;
  }

  #deliver(limit: number, again: number): void {
    if (this.#stream === null) return;
    if (this.#stream < this.#forgotten) {
      this.#stream = this.#forgotten;
      const at = { cursor: this.#forgotten, run_id: '', step: '', at: '', data: {} };
      this.known = told(this.known, [{ ...at, kind: 'stream.forgotten' }]);
      return;
    }
    // Whoever comes back is told once more what it may not have seen.
    const events = this.#after(Math.max(this.#stream - again, this.#forgotten), limit);
    this.#stream = Math.max(this.#stream, events.at(-1)?.cursor ?? 0);
    if (events.length) this.known = told(this.known, events);
  }

  /** All is committed, looked at and read. */
  end(): void {
    this.act(['commit', this.#run.events.length]);
    this.#look = null;
    this.act(['look', 1]);
    this.act(['row', 1]);
    this.act(['row', 1]);
    while (this.known.wanted !== null) this.act(['page', 7]);
  }
}

/** All of a step but the times, which are the worker's in a row and the event's in an event. */
function shown(state: RunState) {
  const of = ({ started_at: _, ended_at: __, ...step }: StepLive) => ({ ...step, spans: spansOf(step) });
  return { status: state.status, steps: new Map([...state.steps].map(([name, step]) => [name, of(step as StepLive)])) };
}

function spansOf({ spans }: Pick<StepLive, 'spans'>) {
  return spans.map(({ kind, attempt, status, error }) => ({ kind, attempt, status, error }));
}

const acts = (of: readonly (typeof kinds)[number][]) =>
  fc.array(fc.tuple(fc.constantFrom(...of), fc.integer({ min: 1, max: 20 })), { maxLength: 60, size: 'max' });

describe('what is known of a run', () => {
  it('comes to the whole of its log, however looks, pages, the stream and its breaks overlap', () => {
    fc.assert(
      fc.property(fc.constantFrom(0, 1), acts(kinds.filter((kind) => kind !== 'forget')), (which, some) => {
        const run = RUNS[which] as (typeof RUNS)[number];
        const world = new World(run);
        for (const act of some) world.act(act);
        world.end();
        const whole = folded(unheard(run.details.id), run.events);
        const { details } = world.known;
        expect(details && shown(world.known.state)).toEqual(details && shown(reconciled(whole, details)));
        expect([...world.known.state.nodes].length).toBe([...whole.nodes].length);
      }),
      { numRuns: 150 },
    );
  });

  it('says of each step and of the run how they stand, whatever of the log is forgotten', () => {
    fc.assert(
      fc.property(fc.constantFrom(0, 1), acts(kinds), (which, some) => {
        const run = RUNS[which] as (typeof RUNS)[number];
        const world = new World(run);
        for (const act of some) world.act(act);
        world.end();
        const { state } = world.known;
        expect(state.status).toBe(run.details.status);
        const whole = folded(unheard(run.details.id), run.events);
        for (const [name, step] of whole.steps) {
          expect(state.steps.get(name)).toMatchObject({
            ...{ status: step.status, attempt: step.attempt, items_out: step.items_out, error: step.error },
          });
        }
      }),
      { numRuns: 150 },
    );
  });

  it('never goes back from the end of a run that nobody lets go on', () => {
    fc.assert(
      fc.property(fc.constantFrom(0, 1), acts(kinds), (which, some) => {
        const run = RUNS[which] as (typeof RUNS)[number];
        const world = new World(run);
        let ended = false;
        for (const act of some) {
          world.act(act);
          const now = ENDED.has(world.known.state.status);
          expect(ended && !now).toBe(false);
          ended = now;
        }
      }),
      { numRuns: 150 },
    );
  });
});

it('lists the steps that a fork has kept, which tell nothing, where the server does', () => {
  for (const { details, events } of RUNS) {
    const kept = details.steps[0]?.step;
    const said = events.filter((event) => event.step !== kept);
    const known = read(looked(unknown(details.id), details), said, true);
    expect([...known.state.steps.keys()]).toEqual(details.steps.map(({ step }) => step));
  }
});
