import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  folded,
  inOrderOf,
  type RunDetails,
  type RunEvent,
  type RunState,
  reconciled,
  type StepLive,
  stoodAt,
  unheard,
} from './fold';
import recorded from './recorded.json';

/** Runs as a server has told them: one that was approved, one that was rejected, one that was forked from the first. */
const RUNS = recorded as unknown as readonly { details: RunDetails; events: RunEvent[] }[];
const approved = RUNS[0];
if (!approved) throw new Error('there are no recorded runs');

const whole = (run: { details: RunDetails; events: RunEvent[] }): RunState =>
  folded(unheard(run.details.id), run.events);

/** What a step's row has, but for times, which are the worker's there and the event's here. A map's or call's row does
 * not say what it was given. */
function row(
  step: Pick<StepLive, 'step' | 'node' | 'status' | 'attempt' | 'items_in' | 'items_out'> & { error: unknown },
) {
  const { status, attempt, items_out, error } = step;
  const items_in = ['each', 'call'].includes(step.node) ? null : step.items_in;
  return [step.step, { node: step.node, status, attempt, items_in, items_out, error }] as const;
}

describe('folding the events of a run', () => {
  it('comes to what the server says of the run', () => {
    for (const run of RUNS.slice(0, 2)) {
      const state = whole(run);
      expect(state.status).toBe(run.details.status);
      expect(state.cursor).toBe(run.details.cursor);
      expect(new Map([...state.steps.values()].map(row))).toEqual(
        new Map(run.details.steps.map((view) => row({ ...view, error: view.error }))),
      );
    }
  });

  it('comes to the same in any batches, also when some come again after a break', () => {
    const cuts = fc.array(fc.tuple(fc.nat({ max: 12 }), fc.nat({ max: 9 })));
    fc.assert(
      fc.property(fc.constantFrom(...RUNS), cuts, (run, sizes) => {
        let state = unheard(run.details.id);
        let at = 0;
        for (const [size, again] of sizes) {
          state = folded(state, run.events.slice(Math.max(0, at - again), at + size));
          at = Math.min(run.events.length, at + size);
        }
        state = folded(state, run.events.slice(at));
        expect(state).toEqual(whole(run));
      }),
    );
  });

  it('leaves the state before as it was', () => {
    const before = folded(unheard('r'), approved.events.slice(0, 9));
    const copy = structuredClone(before);
    folded(before, approved.events);
    expect(before).toEqual(copy);
    expect(folded(before, approved.events.slice(0, 9))).toBe(before);
  });

  it('counts for each node what its steps came to', () => {
    const nodes = whole(approved).nodes;
    expect(nodes.get('each')?.get('odd')).toMatchObject({
      status: 'completed',
      runs: 3,
      items_in: 3,
      items_out: { true: 1, false: 2 },
    });
    expect(nodes.get('each')?.get('square')).toMatchObject({ status: 'completed', runs: 1, counts: { skipped: 2 } });
    expect(nodes.get('')?.get('drop')).toMatchObject({ status: 'skipped', runs: 0 });
    expect(nodes.get('')?.get('shaky')).toMatchObject({ status: 'failed', attempt: 3 });
    expect(nodes.get('call()')?.get('greet')).toMatchObject({ status: 'completed' });
  });

  it('counts the same however the events came', () => {
    fc.assert(
      fc.property(fc.nat({ max: approved.events.length }), (at) => {
        const parts = folded(folded(unheard('r'), approved.events.slice(0, at)), approved.events.slice(at));
        expect(parts.nodes).toEqual(folded(unheard('r'), approved.events).nodes);
      }),
    );
  });

  it('keeps each try, what it failed of and what it said', () => {
    const shaky = whole(approved).steps.get('shaky');
    expect(shaky?.spans.map((span) => [span.kind, span.attempt, span.status])).toEqual([
      ['try', 1, 'failed'],
      ['try', 2, 'failed'],
      ['try', 3, 'failed'],
    ]);
    expect(shaky?.handled).toBe(true);
    expect(shaky?.log.filter((line) => line.message.includes('<script>'))).toHaveLength(3);
    const ask = whole(approved).steps.get('ask');
    expect(ask?.spans.map((span) => span.kind)).toEqual(['try', 'wait', 'try']);
  });

  it('knows what waits, and for what', () => {
    const at = approved.events.findIndex((event) => event.kind === 'step.answered');
    const state = folded(unheard('r'), approved.events.slice(0, at));
    expect(state.status).toBe('waiting');
    expect(state.steps.get('ask')).toMatchObject({ status: 'waiting', wait: { kind: 'approval', title: 'Keep it?' } });
    expect(folded(state, approved.events.slice(0, at + 1)).status).toBe('running');
  });
});

describe('what the server says of a run', () => {
  it('is the same as its events said, and saying it again changes nothing', () => {
    for (const run of RUNS) {
      const state = reconciled(whole(run), run.details);
      expect(state.status).toBe(run.details.status);
      expect([...state.steps.keys()].sort()).toEqual(run.details.steps.map((step) => step.step).sort());
      expect(reconciled(state, run.details)).toEqual(state);
      expect(reconciled(unheard(run.details.id), run.details).nodes.keys()).toEqual(state.nodes.keys());
    }
  });

  it('orders the steps as the server does, and those that it does not know yet come last', () => {
    const steps = approved.details.steps.filter((step) => step.step !== 'first').reverse();
    const state = inOrderOf(whole(approved), { ...approved.details, steps });
    expect([...state.steps.keys()]).toEqual([...steps.map((step) => step.step), 'first']);
    expect(new Map(state.steps)).toEqual(new Map(whole(approved).steps));
  });

  it('takes nothing back that events have told since', () => {
    const half = approved.events.find((event) => event.kind === 'step.waiting');
    if (!half) throw new Error('nothing waits in the recorded run');
    const old: RunDetails = {
      ...approved.details,
      status: 'running',
      cursor: half.cursor,
      steps: approved.details.steps.map((step) => ({ ...step, status: 'running', items_out: {} })),
    };
    const state = reconciled(whole(approved), old);
    expect(state.status).toBe('completed');
    expect(state.steps.get('keep')?.status).toBe('completed');
  });
});

describe('a run as it stood', () => {
  it('has the steps of then with the statuses of then', () => {
    const state = whole(approved);
    const then = stoodAt(state, 'running', { begin: 'completed', each: 'running' });
    expect(then.status).toBe('running');
    expect([...then.steps.keys()]).toEqual(['begin', 'each']);
    expect(then.steps.get('begin')).toBe(state.steps.get('begin'));
    expect(then.steps.get('each')).toMatchObject({ status: 'running', ended_at: null, items_out: {} });
    expect(then.nodes.get('')?.get('each')?.status).toBe('running');
    expect(then.nodes.get('')?.has('keep')).toBe(false);
  });
});
