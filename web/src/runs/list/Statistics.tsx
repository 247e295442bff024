import { Anchor, Group, Paper, Text, VisuallyHidden } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link } from 'wouter';
import { ask, client, type Schemas } from '@/api/client';
import { fill, words } from '@/text/language';
import { duration } from '../format';
import { type Day, daysShown } from './days';
import { type Since, sinceTime } from './filters';
import classes from './Statistics.module.css';

const texts = words.runs.statistics;

/** Figures of the runs: how many, how they ended, how long they took, and how many there were each day. */
export function Statistics({
  graph,
  since,
  names,
}: {
  readonly graph: string | null;
  readonly since: Since;
  /** Names of graphs by id. */
  readonly names: ReadonlyMap<string, string>;
}) {
  const from = sinceTime(since);
  const found = useQuery({
    queryKey: ['runs', 'statistics', graph, from],
    queryFn: ({ signal }) =>
      ask(
        client.GET('/api/v1/runs/statistics', {
          params: { query: { ...(graph ? { graph } : {}), ...(from ? { since: from } : {}) } },
          signal,
        }),
      ),
    placeholderData: (before) => before,
  });
  const figures = found.data;
  if (!figures?.total) return null;
  const completed = figures.statuses.completed ?? 0;
  const failed = figures.statuses.failed ?? 0;
  const ended = completed + failed;
  const only = figures.graphs.length === 1 ? figures.graphs[0] : null;
  return (
    <section aria-label={texts.title}>
      <Group gap="sm" align="stretch">
        <Figure name={texts.total} value={figures.total.toLocaleString()} />
        <Figure name={texts.success} value={ended ? `${Math.round((completed / ended) * 100)} %` : '–'} />
        <Figure name={texts.failed} value={failed.toLocaleString()} bad={failed > 0} />
        {only?.p50 != null && <Figure name={texts.median} value={duration(only.p50)} />}
        {only?.p95 != null && <Figure name={texts.p95} value={duration(only.p95)} />}
        <Paper withBorder px="sm" py={6} className={classes.chart}>
          <Text size="xs" c="dimmed">
            {texts.perDay}
          </Text>
          <Days days={daysShown(figures.days)} />
        </Paper>
      </Group>
      {figures.graphs.length > 1 && <Graphs figures={figures.graphs} names={names} />}
    </section>
  );
}

/** The figures of each graph, folded away until somebody wants them. */
function Graphs({
  figures,
  names,
}: {
  readonly figures: readonly Schemas['GraphFiguresView'][];
  readonly names: ReadonlyMap<string, string>;
}) {
  return (
    <details className={classes.graphs}>
      <summary>{texts.byGraph}</summary>
      <table>
        <thead>
          <tr>
            <th scope="col">{words.runs.list.columns.graph}</th>
            <th scope="col">{texts.total}</th>
            <th scope="col">{texts.failed}</th>
            <th scope="col">{texts.median}</th>
            <th scope="col">{texts.p95}</th>
          </tr>
        </thead>
        <tbody>
          {figures.map((one) => (
            <tr key={one.graph}>
              <th scope="row">
                <Anchor component={Link} href={`/runs/of/${one.graph}`} size="sm">
                  {names.get(one.graph) ?? one.graph}
                </Anchor>
              </th>
              <td>{one.runs.toLocaleString()}</td>
              <td>{one.failed.toLocaleString()}</td>
              <td>{one.p50 === null ? '–' : duration(one.p50)}</td>
              <td>{one.p95 === null ? '–' : duration(one.p95)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </details>
  );
}

function Figure({
  name,
  value,
  bad = false,
}: {
  readonly name: string;
  readonly value: string;
  readonly bad?: boolean;
}) {
  return (
    <Paper withBorder px="sm" py={6} miw={96}>
      <Text size="xs" c="dimmed">
        {name}
      </Text>
      <Text size="lg" fw={600} {...(bad ? { c: 'red' } : {})}>
        {value}
      </Text>
    </Paper>
  );
}

const HEIGHT = 34;

function Days({ days }: { readonly days: readonly Day[] }) {
  const most = Math.max(1, ...days.map((day) => day.runs));
  const width = 100 / Math.max(days.length, 14);
  const height = (count: number) => (count ? Math.max(2, (count / most) * HEIGHT) : 0);
  const told = (day: Day) =>
    fill(texts.day, { day: new Date(day.day).toLocaleDateString(), total: day.runs, failed: day.failed });
  return (
    <>
      <svg className={classes.days} viewBox={`0 0 100 ${HEIGHT}`} preserveAspectRatio="none" aria-hidden>
        {days.map((day, index) => {
          const x = index * width;
          const bad = height(day.failed);
          return (
            <g key={day.day}>
              <title>{told(day)}</title>
              <rect x={x} y={0} width={width} height={HEIGHT} fill="transparent" />
              <rect
                className={classes.good}
                x={x + width * 0.12}
                y={HEIGHT - height(day.runs)}
                width={width * 0.76}
                height={height(day.runs)}
              />
              <rect className={classes.bad} x={x + width * 0.12} y={HEIGHT - bad} width={width * 0.76} height={bad} />
            </g>
          );
        })}
      </svg>
      <VisuallyHidden component="ul">
        {days
          .filter((day) => day.runs > 0)
          .map((day) => (
            <li key={day.day}>{told(day)}</li>
          ))}
      </VisuallyHidden>
    </>
  );
}
