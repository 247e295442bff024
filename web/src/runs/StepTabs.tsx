import { Group, Loader, Tabs, Text } from '@mantine/core';
import { lazy, Suspense, useState } from 'react';
import { fill, words } from '@/text/language';
import { type Attempt, tryNumbers } from './attempts';
import type { StepLive } from './fold';
import { between, when } from './format';
import { LogView } from './LogView';
import { StatusSign } from './StatusBadge';
import classes from './StepDetail.module.css';

const StepData = lazy(() => import('./StepData'));

interface StepTabsProps {
  readonly run: string;
  readonly step: StepLive;
  /** The try that is shown, where that is not the last one. */
  readonly earlier: Attempt | null;
  /** How many tries the step has had. */
  readonly tries: number;
}

/** What a step, or one of its tries, was given, gave and said. */
export function StepTabs({ run, step, earlier, tries }: StepTabsProps) {
  const [tab, setTab] = useState<string | null>(null);
  const log = earlier?.log ?? step.log;
  const logged = earlier?.log.length ?? step.logged;
  const text = earlier?.text ?? step.text;
  return (
    <Tabs
      value={tab ?? (earlier ? 'log' : firstTab(step))}
      onChange={setTab}
      keepMounted={false}
      className={classes.tabs}
    >
      <Tabs.List>
        <Tabs.Tab value="output">{words.runs.step.output}</Tabs.Tab>
        <Tabs.Tab value="input">{words.runs.step.input}</Tabs.Tab>
        <Tabs.Tab value="log" rightSection={logged > 0 && <span className={classes.count}>{logged}</span>}>
          {words.runs.step.log}
        </Tabs.Tab>
        {text && <Tabs.Tab value="text">{words.runs.step.text}</Tabs.Tab>}
        <Tabs.Tab
          value="tries"
          rightSection={step.spans.length > 1 && <span className={classes.count}>{step.spans.length}</span>}
        >
          {words.runs.step.tries}
        </Tabs.Tab>
      </Tabs.List>
      <Tabs.Panel value="output" className={classes.pane}>
        {earlier ? (
          <Text size="sm" c="dimmed" p="sm">
            {words.runs.step.gaveNothing}
          </Text>
        ) : (
          <Suspense>
            <StepData run={run} step={step} side="outputs" />
          </Suspense>
        )}
      </Tabs.Panel>
      <Tabs.Panel value="input" className={classes.pane}>
        {tries > 1 && (
          <Text size="xs" c="dimmed" px="sm">
            {words.runs.step.sameInput}
          </Text>
        )}
        <Suspense>
          <StepData run={run} step={step} side="inputs" />
        </Suspense>
      </Tabs.Panel>
      <Tabs.Panel value="log" className={classes.pane}>
        {earlier && !earlier.started_at ? (
          <Text size="sm" c="dimmed" p="sm">
            {words.runs.step.notSaid}
          </Text>
        ) : (
          <LogView lines={log} />
        )}
      </Tabs.Panel>
      <Tabs.Panel value="text" className={classes.pane}>
        <pre className={classes.text}>{text}</pre>
        {!earlier && step.status === 'running' && <Loader type="dots" size="xs" aria-hidden />}
      </Tabs.Panel>
      <Tabs.Panel value="tries" className={classes.pane}>
        <Tries step={step} />
      </Tabs.Panel>
    </Tabs>
  );
}

function firstTab(step: StepLive): string {
  if (step.text && !step.ended_at) return 'text';
  return step.status === 'running' || step.error ? 'log' : 'output';
}

function Tries({ step }: { readonly step: StepLive }) {
  if (!step.spans.length) {
    return (
      <Text size="sm" c="dimmed" p="sm">
        {words.runs.noSteps}
      </Text>
    );
  }
  const numbers = tryNumbers(step.spans);
  return (
    <ol className={classes.tries} aria-label={words.runs.step.attempts}>
      {step.spans.map((span, index) => (
        <li key={`${span.kind} ${span.started_at}`}>
          <Group gap="xs" wrap="nowrap">
            <StatusSign status={span.status} size={16} />
            <Text size="sm">
              {span.kind === 'wait'
                ? words.runs.step.wait
                : fill(words.runs.step.try, { attempt: numbers[index] ?? 1 })}
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
