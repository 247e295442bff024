/** The tries of a step, each with what is known of it: how it went, what it failed of, what it said. */

import { errorOf, type LogLine, type RunError, type Span, type StepLive } from './fold';

export interface Attempt {
  /** Its place among the step's tries, from 0. */
  readonly index: number;
  /** As the server counts; it begins anew when a failed run is let go on. */
  readonly attempt: number;
  readonly status: Span['status'];
  /** Null where what happened then is forgotten, but for the error. */
  readonly started_at: string | null;
  readonly ended_at: string | null;
  readonly error: RunError | null;
  readonly log: readonly LogLine[];
  /** What it streamed. */
  readonly text: string;
}

/** For each span of a step the number of its try, from 1. A wait for an answer, and what follows it, belong to the try
 * that waits. The server begins to count anew when a failed run is let go on. */
export function tryNumbers(spans: readonly Span[]): readonly number[] {
  let number = 0;
  return spans.map((span, index) => {
    const before = spans[index - 1];
    if (!before || !(span.kind === 'wait' || goesOn(before, span))) number += 1;
    return number;
  });
}

/** A step's tries, in order. */
export function attemptsOf(step: Pick<StepLive, 'spans' | 'log' | 'text' | 'streamed'>): readonly Attempt[] {
  const found: { first: Span; span: Span; spans: Set<number> }[] = [];
  const numbers = tryNumbers(step.spans);
  for (const [index, span] of step.spans.entries()) {
    const same = found[(numbers[index] ?? 0) - 1];
    if (same) {
      same.span = span;
      same.spans.add(span.number);
    } else found.push({ first: span, span, spans: new Set([span.number]) });
  }
  // The beginning of a long text is not kept.
  const lost = step.streamed - step.text.length;
  return found.map(({ first, span: { attempt, status, ended_at, error }, spans }, index) => ({
    ...{ index, attempt, status, started_at: first.started_at, ended_at, error },
    log: step.log.filter((line) => spans.has(line.span)),
    text: step.text.slice(
      Math.max(0, first.streamed - lost),
      Math.max(0, (found[index + 1]?.first.streamed ?? step.streamed) - lost),
    ),
  }));
}

/** Whether a try is the one before, which has waited. */
function goesOn(before: Span, span: Span): boolean {
  return before.kind === 'wait' && before.attempt === span.attempt;
}

/** The tries with those before them of which only the run's log knows, as events are forgotten sooner. */
export function withForgotten(
  attempts: readonly Attempt[],
  failures: readonly { readonly [name: string]: unknown }[],
): readonly Attempt[] {
  const first = attempts[0]?.attempt ?? Number.POSITIVE_INFINITY;
  const before = failures.flatMap(({ attempt, error }) =>
    typeof attempt === 'number' && attempt < first
      ? [
          {
            attempt,
            status: 'failed' as const,
            error: errorOf(error),
            started_at: null,
            ended_at: null,
            log: [],
            text: '',
          },
        ]
      : [],
  );
  return [...before, ...attempts].map((attempt, index) => ({ ...attempt, index }));
}
