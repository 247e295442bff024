import { NativeSelect } from '@mantine/core';
import { useMemo } from 'react';
import { useStep } from '@/api/runData';
import { fill, words } from '@/text/language';
import { type Attempt, attemptsOf, withForgotten } from './attempts';
import type { StepLive } from './fold';
import { when } from './format';
import { versionOf } from './steps';

/** A step's tries; those of which no event tells any more are asked for. */
export function useAttempts(run: string, step: StepLive): readonly Attempt[] {
  const { spans, log, text, streamed } = step;
  const known = useMemo(() => attemptsOf({ spans, log, text, streamed }), [spans, log, text, streamed]);
  const first = known[0]?.attempt ?? step.attempt;
  const { data } = useStep(run, first > 1 ? step.step : null, 0, versionOf(step));
  return useMemo(() => withForgotten(known, first > 1 ? (data?.failures ?? []) : []), [known, first, data]);
}

interface AttemptChoiceProps {
  readonly attempts: readonly Attempt[];
  /** Index of the try that is shown. */
  readonly shown: number;
  readonly onChoose: (index: number) => void;
}

/** Chooses one of a step's tries. */
export function AttemptChoice({ attempts, shown, onChoose }: AttemptChoiceProps) {
  return (
    <NativeSelect
      size="xs"
      aria-label={words.runs.step.choose}
      value={String(shown)}
      onChange={(event) => onChoose(Number(event.currentTarget.value))}
      data={attempts.map(({ index, status, started_at }) => ({
        value: String(index),
        label: [
          fill(words.runs.step.try, { attempt: index + 1 }),
          words.runs.status[status],
          ...(started_at ? [when(started_at)] : []),
        ].join(' · '),
      }))}
    />
  );
}
