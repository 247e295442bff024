import { Button, Group, Stack, Tabs, Text } from '@mantine/core';
import { lazy, Suspense, useMemo } from 'react';
import { words } from '@/text/language';
import { JsonView } from '@/widgets/JsonView';
import { ENDED, errorOf, type StepLive } from './fold';
import { type RunLive, useLabels } from './live';
import { RunErrorView } from './RunErrorView';
import classes from './RunInspector.module.css';
import { stepToShow } from './rows';
import { StepDetail } from './StepDetail';
import { StepList } from './StepList';
import { placeOf } from './steps';
import { useNow } from './useNow';

const Timeline = lazy(() => import('./Timeline'));

interface RunInspectorProps {
  readonly run: RunLive;
  readonly chosen: string | null;
  readonly onChoose: (step: string) => void;
  readonly onForked: (run: string) => void;
}

/** What happened in a run: its steps, when they ran, what came out, and beside that the chosen step. */
export function RunInspector({ run, chosen, onChoose, onForked }: RunInspectorProps) {
  const { details, steps } = run;
  const label = useLabels(run);
  const ticking = useNow(!ENDED.has(run.status) && run.time === null);
  const now = run.time ?? ticking;
  const first = useMemo(() => (chosen ? null : stepToShow(steps)), [chosen, steps]);
  const step = steps.get(chosen ?? first ?? '');

  const failed = run.status === 'failed' ? errorOf(details.error) : null;
  const others = useMemo(
    () => (run.time === null && !ENDED.has(run.status) ? [...steps.values()].filter(needsSomebody) : []),
    [run.time, run.status, steps],
  ).filter((waiting) => waiting !== step);
  return (
    <div className={classes.inspector}>
      {others.length > 0 && (
        <Group gap="xs" className={classes.waiting} role="status">
          <Text size="xs" fw={600}>
            {words.runs.waiting.heading}
          </Text>
          {others.slice(0, 5).map((waiting) => (
            <Button key={waiting.step} size="compact-xs" variant="default" onClick={() => onChoose(waiting.step)}>
              {[label(waiting), placeOf(waiting.step)].filter(Boolean).join(' ')}
            </Button>
          ))}
        </Group>
      )}
      <Tabs defaultValue="steps" keepMounted={false} className={classes.left}>
        <Tabs.List>
          <Tabs.Tab value="steps">{words.runs.steps}</Tabs.Tab>
          <Tabs.Tab value="timeline">{words.runs.timeline}</Tabs.Tab>
          <Tabs.Tab value="result">{words.runs.result}</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="steps" className={classes.pane}>
          <StepList steps={steps} label={label} chosen={step?.step ?? null} onChoose={onChoose} now={now} />
        </Tabs.Panel>
        <Tabs.Panel value="timeline" className={classes.pane}>
          <Suspense>
            <Timeline run={run} label={label} chosen={step?.step ?? null} onChoose={onChoose} now={now} />
          </Suspense>
        </Tabs.Panel>
        <Tabs.Panel value="result" className={classes.pane}>
          <Stack gap="sm" p="sm">
            {failed && <RunErrorView error={failed} title={words.runs.wentWrong} />}
            <Text fw={600} size="sm">
              {words.runs.outputs}
            </Text>
            {isEmpty(details.outputs) ? (
              <Text size="sm" c="dimmed">
                {words.runs.noOutputs}
              </Text>
            ) : (
              <JsonView value={details.outputs} open={3} />
            )}
            <Text fw={600} size="sm">
              {words.runs.inputs}
            </Text>
            <JsonView value={details.inputs} />
          </Stack>
        </Tabs.Panel>
      </Tabs>
      <section className={classes.right} aria-label={step ? label(step) : words.runs.steps}>
        {step ? (
          <StepDetail key={step.step} details={details} step={step} label={label(step)} now={now} onForked={onForked} />
        ) : (
          <Text size="sm" c="dimmed" p="md">
            {words.runs.chooseStep}
          </Text>
        )}
      </section>
    </div>
  );
}

/** Whether a step goes on only when somebody answers it. */
function needsSomebody(step: StepLive): boolean {
  if (step.status === 'unknown') return step.wait !== null;
  return step.status === 'waiting' && step.wait?.kind !== 'time';
}

function isEmpty(value: unknown): boolean {
  return value === null || value === undefined || (typeof value === 'object' && !Object.keys(value).length);
}
