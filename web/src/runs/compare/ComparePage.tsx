import { Anchor, Box, Button, Center, Checkbox, Group, Loader, Paper, Stack, Text, Title } from '@mantine/core';
import { IconArrowsExchange, IconEqual, IconEqualNot } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { Link, useLocation } from 'wouter';
import { ask, client, type Schemas } from '@/api/client';
import { fill, words } from '@/text/language';
import { ErrorMessage } from '@/widgets/ErrorMessage';
import { JsonView } from '@/widgets/JsonView';
import { between, duration, itemCount, when } from '../format';
import { StatusBadge, StatusSign } from '../StatusBadge';
import classes from './ComparePage.module.css';
import { differences, stepDiffers, type ValueDifference } from './differences';

const texts = words.runs.compare;

/** Two runs beside each other: their steps, what differs, and what came out. */
export default function ComparePage({ a, b }: { readonly a: string; readonly b: string }) {
  const found = useQuery({
    queryKey: ['runs', 'compare', a, b],
    queryFn: ({ signal }) => ask(client.GET('/api/v1/runs/compare', { params: { query: { a, b } }, signal })),
  });
  if (found.error) {
    return (
      <Box p="md">
        <ErrorMessage title={texts.unreadable} error={found.error} />
        <Anchor component={Link} href="/runs" mt="md" display="inline-block">
          {texts.back}
        </Anchor>
      </Box>
    );
  }
  if (!found.data) {
    return (
      <Center h="100%">
        <Loader aria-label={words.shell.loading} />
      </Center>
    );
  }
  return <Comparison compared={found.data} />;
}

function Comparison({ compared }: { readonly compared: Schemas['RunComparison'] }) {
  const [only, setOnly] = useState(false);
  const [, go] = useLocation();
  const { a, b, steps } = compared;
  const different = steps.filter(stepDiffers);
  const shown = only ? different : steps;
  return (
    <Stack gap="md" p="md" className={classes.page}>
      <Group justify="space-between">
        <Title order={1} size="h3">
          {texts.title}
        </Title>
        <Group gap="xs">
          <Button
            size="xs"
            variant="default"
            leftSection={<IconArrowsExchange size={16} />}
            onClick={() => go(`/runs/${b.id}/compare/${a.id}`)}
          >
            {texts.swap}
          </Button>
          <Button size="xs" variant="default" component={Link} href="/runs">
            {texts.back}
          </Button>
        </Group>
      </Group>
      <div className={classes.sides}>
        <Side name={texts.a} run={a} />
        <Side name={texts.b} run={b} />
      </div>
      <Text size="sm" c="dimmed">
        {a.graph !== b.graph ? texts.otherGraphs : a.graph_hash === b.graph_hash ? texts.sameGraph : texts.otherGraph}
      </Text>
      {compared.graph_changes.length > 0 && (
        <ul className={classes.changes}>
          {compared.graph_changes.slice(0, 50).map((change) => (
            <li key={`${change.kind} ${change.path}`}>
              <code>{change.path}</code> {change.kind}
            </li>
          ))}
        </ul>
      )}
      <Group justify="space-between">
        <Text size="sm" role="status">
          {different.length ? fill(texts.summary, { different: different.length, total: steps.length }) : texts.none}
        </Text>
        <Checkbox
          size="xs"
          label={texts.onlyDifferences}
          checked={only}
          onChange={(event) => setOnly(event.currentTarget.checked)}
        />
      </Group>
      <table className={classes.table} aria-label={texts.title}>
        <thead>
          <tr>
            <th scope="col">{texts.step}</th>
            <th scope="col">{texts.a}</th>
            <th scope="col">{texts.b}</th>
            <th scope="col">{texts.inputs}</th>
            <th scope="col">{texts.outputs}</th>
          </tr>
        </thead>
        <tbody>
          {shown.map((step) => (
            <tr key={step.step} data-differs={stepDiffers(step) || undefined}>
              <th scope="row">
                <code>{step.step}</code>
              </th>
              <td>{step.a ? <Outcome of={step.a} /> : texts.onlyB}</td>
              <td>{step.b ? <Outcome of={step.b} /> : texts.onlyA}</td>
              <td>
                <Equal equal={step.inputs_equal} />
              </td>
              <td>
                <Equal equal={step.outputs_equal} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      <Values a={a.id} b={b.id} />
    </Stack>
  );
}

function Side({ name, run }: { readonly name: string; readonly run: Schemas['RunSummary'] }) {
  return (
    <Paper withBorder p="sm">
      <Group justify="space-between" wrap="nowrap">
        <Text fw={600} size="sm">
          {name}
        </Text>
        <StatusBadge status={run.status} />
      </Group>
      <Anchor component={Link} href={`/runs/${run.id}`} size="sm">
        {run.graph} · {run.id}
      </Anchor>
      <Text size="xs" c="dimmed">
        {when(run.started_at ?? run.created_at)} · {between(run.started_at, run.ended_at)}
      </Text>
    </Paper>
  );
}

function Outcome({ of }: { readonly of: Schemas['ComparedStep'] }) {
  const items = Object.values(of.items_out).reduce((sum, count) => sum + count, 0);
  const facts = [
    of.seconds === null ? '' : duration(of.seconds),
    items ? itemCount(items) : '',
    of.attempt > 1 ? fill(words.runs.try, { attempt: of.attempt }) : '',
  ];
  return (
    <Group gap={6} wrap="nowrap">
      <StatusSign status={of.status} size={16} />
      <span className={classes.soft}>{facts.filter(Boolean).join(' · ')}</span>
    </Group>
  );
}

function Equal({ equal }: { readonly equal: boolean | null }) {
  if (equal === null) return null;
  return (
    <span className={classes.equal} data-equal={equal}>
      {equal ? <IconEqual size={14} aria-hidden /> : <IconEqualNot size={14} aria-hidden />}
      {equal ? texts.same : texts.differs}
    </span>
  );
}

/** The outputs and inputs of both, where they differ. */
function Values({ a, b }: { readonly a: string; readonly b: string }) {
  const found = useQuery({
    queryKey: ['runs', 'values', a, b],
    queryFn: async ({ signal }) => {
      const get = (run_id: string) =>
        ask(client.GET('/api/v1/runs/{run_id}', { params: { path: { run_id } }, signal }));
      return Promise.all([get(a), get(b)]);
    },
  });
  if (!found.data) return null;
  const [left, right] = found.data;
  const parts: [string, readonly ValueDifference[]][] = [
    [texts.inputs, differences(left.inputs, right.inputs)],
    [texts.outputs, differences(left.outputs, right.outputs)],
  ];
  return (
    <>
      {parts.map(
        ([name, found]) =>
          found.length > 0 && (
            <section key={name} aria-label={name}>
              <Title order={2} size="h5" mb="xs">
                {name}
              </Title>
              <table className={classes.table}>
                <tbody>
                  {found.map((each) => (
                    <tr key={each.path}>
                      <th scope="row">
                        <code>{each.path || '·'}</code>
                      </th>
                      <td>{each.a === undefined ? texts.onlyB : <JsonView value={each.a} open={1} />}</td>
                      <td>{each.b === undefined ? texts.onlyA : <JsonView value={each.b} open={1} />}</td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </section>
          ),
      )}
    </>
  );
}
