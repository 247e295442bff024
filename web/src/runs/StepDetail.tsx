import { Badge, Button, Group, Loader, Stack, Tabs, Text, Title } from '@mantine/core';
import { IconGitFork } from '@tabler/icons-react';
import { lazy, Suspense, useState } from 'react';
import { fill, words } from '@/text/language';
import { ENDED, type RunDetails, type StepLive } from './fold';
import { between, itemCount, when } from './format';
import { LogView } from './LogView';
import { RunErrorView } from './RunErrorView';
import { StatusBadge, StatusSign } from './StatusBadge';
import classes from './StepDetail.module.css';
import { placeOf } from './steps';
import { WaitingStep } from './waiting/WaitingStep';

const StepData = lazy(() => import('./StepData'));
const ForkDialog = lazy(() => import('./ForkDialog'));

interface StepDetailProps {
  readonly details: RunDetails;
  readonly step: StepLive;
  readonly label: string;
  readonly now: number;
  /** Called with the new run after a fork. */
  readonly onForked: (run: string) => void;
}

/** All that is known of one step: how it stands, what it waits for, what it was given, gave and said. */
export function StepDetail({ details, step, label, now, onForked }: StepDetailProps) {
  const [forking, setForking] = useState(false);
  const waits = step.wait !== null && (step.status === 'waiting' || step.status === 'unknown');
  const facts = [
    placeOf(step.step),
    step.started_at && `${words.runs.step.began} ${when(step.started_at)}`,
    step.started_at && between(step.started_at, step.ended_at, now),
    step.items_in > 0 && fill(words.runs.itemsIn, { count: itemCount(step.items_in) }),
    ...Object.entries(step.items_out).map(([port, count]) => `${port}: ${itemCount(count)}`),
    step.elements !== null && fill(words.runs.elements, { count: step.elements }),
  ];
  return (
    <Stack gap="xs" className={classes.detail} p="sm">
      <Group justify="space-between" align="flex-start" gap="xs">
        <div className={classes.name}>
          <Group gap="xs" wrap="nowrap">
            <Title order={3} size="h5" lineClamp={1}>
              {label}
            </Title>
            <StatusBadge status={step.retrying ? 'retrying' : step.status} />
            {step.attempt > 1 && (
              <Badge variant="default" size="sm">
                {fill(words.runs.try, { attempt: step.attempt })}
              </Badge>
            )}
          </Group>
          <Text size="xs" c="dimmed">
            {facts.filter(Boolean).join(' · ')}
          </Text>
        </div>
        {step.status !== 'skipped' && (
          <Button
            size="compact-sm"
            variant="default"
            leftSection={<IconGitFork size={14} />}
            onClick={() => setForking(true)}
          >
            {words.runs.actions.fork}
          </Button>
        )}
      </Group>
      {step.error && <RunErrorView error={step.error} handled={step.handled} />}
      {waits && !ENDED.has(details.status) && (
        <WaitingStep key={`${step.step} ${step.spans.length}`} run={details.id} step={step} label={label} />
      )}
      <StepTabs run={details.id} step={step} />
      {forking && (
        <Suspense>
          <ForkDialog
            run={details.id}
            graph={details.graph}
            step={step.step}
            label={label}
            onClose={() => setForking(false)}
            onForked={onForked}
          />
        </Suspense>
      )}
    </Stack>
  );
}

function StepTabs({ run, step }: { readonly run: string; readonly step: StepLive }) {
  const [tab, setTab] = useState<string | null>(null);
  const first = step.text && !step.ended_at ? 'text' : step.status === 'running' || step.error ? 'log' : 'output';
  return (
    <Tabs value={tab ?? first} onChange={setTab} keepMounted={false} className={classes.tabs}>
      <Tabs.List>
        <Tabs.Tab value="output">{words.runs.step.output}</Tabs.Tab>
        <Tabs.Tab value="input">{words.runs.step.input}</Tabs.Tab>
        <Tabs.Tab value="log" rightSection={step.logged > 0 && <span className={classes.count}>{step.logged}</span>}>
          {words.runs.step.log}
        </Tabs.Tab>
        {step.text && <Tabs.Tab value="text">{words.runs.step.text}</Tabs.Tab>}
        <Tabs.Tab
          value="tries"
          rightSection={step.spans.length > 1 && <span className={classes.count}>{step.spans.length}</span>}
        >
          {words.runs.step.tries}
        </Tabs.Tab>
      </Tabs.List>
      <Tabs.Panel value="output" className={classes.pane}>
        <Suspense>
          <StepData run={run} step={step} side="outputs" />
        </Suspense>
      </Tabs.Panel>
      <Tabs.Panel value="input" className={classes.pane}>
        <Suspense>
          <StepData run={run} step={step} side="inputs" />
        </Suspense>
      </Tabs.Panel>
      <Tabs.Panel value="log" className={classes.pane}>
        <LogView lines={step.log} />
      </Tabs.Panel>
      <Tabs.Panel value="text" className={classes.pane}>
        <pre className={classes.text}>{step.text}</pre>
        {step.status === 'running' && <Loader type="dots" size="xs" aria-hidden />}
      </Tabs.Panel>
      <Tabs.Panel value="tries" className={classes.pane}>
        <Tries step={step} />
      </Tabs.Panel>
    </Tabs>
  );
}

function Tries({ step }: { readonly step: StepLive }) {
  if (!step.spans.length) {
    return (
      <Text size="sm" c="dimmed" p="sm">
        {words.runs.noSteps}
      </Text>
    );
  }
  return (
    <ol className={classes.tries} aria-label={words.runs.step.attempts}>
      {step.spans.map((span) => (
        <li key={`${span.kind} ${span.started_at}`}>
          <Group gap="xs" wrap="nowrap">
            <StatusSign status={span.status} size={16} />
            <Text size="sm">
              {span.kind === 'wait' ? words.runs.step.wait : fill(words.runs.step.try, { attempt: span.attempt })}
            </Text>
            <Text size="xs" c="dimmed">
              {when(span.started_at)} · {between(span.started_at, span.ended_at)}
            </Text>
          </Group>
          {span.error && (
            <Text size="sm" c="red" className={classes.text}>
              {span.error.code}: {span.error.message}
            </Text>
          )}
        </li>
      ))}
    </ol>
  );
}
