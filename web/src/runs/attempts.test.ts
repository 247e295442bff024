import { describe, expect, it } from 'vitest';
import { attemptsOf, tryNumbers, withForgotten } from './attempts';
import { folded, type RunEvent, type StepLive, unheard } from './fold';
import recorded from './recorded.json';

const { events } = recorded[0] as unknown as { events: RunEvent[] };
const stepOf = (name: string, told: readonly RunEvent[] = events) =>
  folded(unheard('r'), told).steps.get(name) as StepLive;

describe('the tries of a step', () => {
  it('have each their own error and what was said in them', () => {
    const tries = attemptsOf(stepOf('shaky'));
    expect(tries.map(({ attempt, status, error }) => [attempt, status, error?.code])).toEqual([
      [1, 'failed', 'node.code_failed'],
      [2, 'failed', 'node.code_failed'],
      [3, 'failed', 'node.code_failed'],
    ]);
    expect(tries.map(({ log }) => log.map((line) => line.level))).toEqual([
      ['info', 'warning'],
      ['info', 'warning'],
      ['info'],
    ]);
  });

  it('have each what they streamed, as far as that is kept', () => {
    const at = { version: 1, run_id: 'r', step: 'talk', at: '' };
    const told = ['one', 'two', 'three'].flatMap((text, attempt) => [
      { ...at, cursor: 2 * attempt + 1, kind: 'step.started', data: { attempt: attempt + 1 } },
      { ...at, cursor: 2 * attempt + 2, kind: 'step.token', data: { text } },
    ]) as unknown as RunEvent[];
    const step = stepOf('talk', told);
    expect(attemptsOf(step).map(({ text }) => text)).toEqual(['one', 'two', 'three']);
    const cut = { ...step, text: step.text.slice(-6) };
    expect(attemptsOf(cut).map(({ text }) => text)).toEqual(['', 'o', 'three']);
  });

  it('are numbered on where the server counts anew, as it does when a failed run is let go on', () => {
    const span = { kind: 'try', attempt: 1 } as StepLive['spans'][number];
    expect(tryNumbers([span, span, { ...span, kind: 'wait' }, span, { ...span, attempt: 2 }])).toEqual([1, 2, 2, 2, 3]);
    expect(tryNumbers([])).toEqual([]);
  });

  it('go on after a wait', () => {
    expect(attemptsOf(stepOf('ask')).map(({ attempt, status }) => [attempt, status])).toEqual([[1, 'completed']]);
    const waits = events.findIndex((event) => event.kind === 'step.answered');
    const still = attemptsOf(stepOf('ask', events.slice(0, waits)));
    expect(still.map(({ status, ended_at }) => [status, ended_at])).toEqual([['waiting', null]]);
  });

  it('are more than their numbers where a failed run was let go on', () => {
    const last = events.at(-1) as RunEvent;
    const again = { ...last, cursor: last.cursor + 1, kind: 'step.started', step: 'shaky', data: { attempt: 1 } };
    const tries = attemptsOf(stepOf('shaky', [...events, again]));
    expect(tries.map(({ index, attempt, status }) => [index, attempt, status]).at(-1)).toEqual([3, 1, 'running']);
  });

  it('are known by their errors where what happened then is forgotten', () => {
    const since = events.filter((event) => event.cursor >= 26);
    const known = attemptsOf(stepOf('shaky', since));
    expect(known.map(({ attempt }) => attempt)).toEqual([3]);
    const failures = [1, 2].map((attempt) => ({
      attempt,
      error: { code: 'node.code_failed', message: `no ${attempt}` },
    }));
    const all = withForgotten(known, failures);
    expect(all.map(({ index, attempt, error }) => [index, attempt, error?.message])).toEqual([
      [0, 1, 'no 1'],
      [1, 2, 'no 2'],
      [2, 3, 'ValueError: not today (line 2)'],
    ]);
  });
});
