import { Anchor, Badge, Checkbox, Text } from '@mantine/core';
import type { MouseEvent } from 'react';
import { Link, useLocation } from 'wouter';
import type { Schemas } from '@/api/client';
import { fill, words } from '@/text/language';
import { ENDED } from '../fold';
import { between, when } from '../format';
import { StatusBadge } from '../StatusBadge';
import { useNow } from '../useNow';
import classes from './RunsTable.module.css';

const texts = words.runs.list;
type Run = Schemas['RunSummary'];

interface RunsTableProps {
  readonly runs: readonly Run[];
  readonly names: ReadonlyMap<string, string>;
  readonly chosen: ReadonlySet<string>;
  readonly onChoose: (chosen: ReadonlySet<string>) => void;
}

/** Runs, newest first. */
export function RunsTable({ runs, names, chosen, onChoose }: RunsTableProps) {
  const now = useNow(runs.some((run) => !ENDED.has(run.status)));
  const all = runs.length > 0 && runs.every((run) => chosen.has(run.id));
  const choose = (id: string, on: boolean) => {
    const next = new Set(chosen);
    if (on) next.add(id);
    else next.delete(id);
    onChoose(next);
  };
  return (
    <table className={classes.table} aria-label={texts.table}>
      <thead>
        <tr>
          <th scope="col" className={classes.check}>
            <Checkbox
              size="xs"
              aria-label={texts.chooseAll}
              checked={all}
              indeterminate={!all && runs.some((run) => chosen.has(run.id))}
              onChange={(event) =>
                onChoose(event.currentTarget.checked ? new Set(runs.map((run) => run.id)) : new Set())
              }
            />
          </th>
          <th scope="col">{texts.columns.status}</th>
          <th scope="col">{texts.columns.graph}</th>
          <th scope="col">{texts.columns.started}</th>
          <th scope="col" className={classes.number}>
            {texts.columns.took}
          </th>
          <th scope="col" className={classes.wide}>
            {texts.columns.trigger}
          </th>
          <th scope="col" className={classes.wide}>
            {texts.columns.run}
          </th>
        </tr>
      </thead>
      <tbody>
        {runs.map((run) => (
          <Row
            key={run.id}
            run={run}
            name={names.get(run.graph) ?? run.graph}
            chosen={chosen.has(run.id)}
            now={ENDED.has(run.status) ? 0 : now}
            onChoose={choose}
          />
        ))}
      </tbody>
    </table>
  );
}

function Row({
  run,
  name,
  chosen,
  now,
  onChoose,
}: {
  readonly run: Run;
  readonly name: string;
  readonly chosen: boolean;
  readonly now: number;
  readonly onChoose: (id: string, on: boolean) => void;
}) {
  const [, go] = useLocation();
  // The whole row opens the run, unless somebody selects text or wants another tab.
  const open = (event: MouseEvent) => {
    const on = (event.target as HTMLElement).closest('a, input, label');
    if (!on && !String(window.getSelection())) go(`/runs/${run.id}`);
  };
  const begun = run.started_at ?? run.created_at;
  const error = run.status === 'failed' && run.error ? String(run.error.message ?? '') : '';
  return (
    <tr data-run={run.id} data-chosen={chosen || undefined} onClick={open}>
      <td className={classes.check}>
        <Checkbox
          size="xs"
          aria-label={fill(texts.choose, { id: run.id })}
          checked={chosen}
          onChange={(event) => onChoose(run.id, event.currentTarget.checked)}
        />
      </td>
      <td>
        <StatusBadge status={run.status} />
      </td>
      <td className={classes.name}>
        <Anchor component={Link} href={`/runs/${run.id}`} size="sm" fw={500}>
          {name}
        </Anchor>{' '}
        {!run.production && (
          <Badge size="xs" variant="default">
            {texts.test}
          </Badge>
        )}
        {error && (
          <Text size="xs" c="dimmed" lineClamp={1}>
            {error}
          </Text>
        )}
      </td>
      <td className={classes.soft}>{when(begun)}</td>
      <td className={classes.number}>
        {run.status === 'queued' ? '' : between(begun, run.ended_at, now || undefined)}
      </td>
      <td className={`${classes.soft} ${classes.wide}`} title={run.actor}>
        {run.trigger || words.runs.facts.byHand}
      </td>
      <td className={`${classes.soft} ${classes.wide}`}>
        <code>{run.id}</code>
      </td>
    </tr>
  );
}
