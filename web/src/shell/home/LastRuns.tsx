import { Text, Tooltip } from '@mantine/core';
import { Link } from 'wouter';
import type { Schemas } from '@/api/client';
import { fill, words } from '@/text/language';
import classes from './home.module.css';

/** Runs that a card shows. */
export const SHOWN = 8;

interface Props {
  readonly runs: readonly Schemas['RunSummary'][];
  readonly name: string;
}

/** How the last runs of a graph went, the newest at the right; each leads to its run. */
export function LastRuns({ runs, name }: Props) {
  if (!runs.length) {
    return (
      <Text size="xs" c="dimmed">
        {words.home.never}
      </Text>
    );
  }
  return (
    <ul className={classes.runs} aria-label={fill(words.home.runs, { name })}>
      {runs
        .slice(0, SHOWN)
        .toReversed()
        .map((run) => {
          const label = `${run.status}, ${new Date(run.created_at).toLocaleString()}`;
          return (
            <li key={run.id}>
              <Tooltip label={label}>
                <Link href={`/runs/${run.id}`} className={classes.run} data-status={run.status} aria-label={label} />
              </Tooltip>
            </li>
          );
        })}
    </ul>
  );
}
