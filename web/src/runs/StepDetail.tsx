import { Badge, Button, Group, Stack, Text, Title } from '@mantine/core';
import { IconGitFork } from '@tabler/icons-react';
import { lazy, Suspense, useState } from 'react';
import { fill, words } from '@/text/language';
import { AttemptChoice, useAttempts } from './AttemptChoice';
import { ENDED, type RunDetails, type StepLive } from './fold';
import { between, itemCount, when } from './format';
import { RunErrorView } from './RunErrorView';
import { StatusBadge } from './StatusBadge';
import classes from './StepDetail.module.css';
import { StepTabs } from './StepTabs';
import { placeOf } from './steps';
import { WaitingStep } from './waiting/WaitingStep';

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
  const attempts = useAttempts(details.id, step);
  const [chosen, setChosen] = useState<number | null>(null);
  /** A try before the last one; the last one is the step as it stands. */
  const earlier = chosen !== null && chosen < attempts.length - 1 ? (attempts[chosen] ?? null) : null;
  const { started_at, ended_at, error } = earlier ?? step;
  const waits = !earlier && step.wait !== null && (step.status === 'waiting' || step.status === 'unknown');
  const facts = [
    placeOf(step.step),
    started_at && `${words.runs.step.began} ${when(started_at)}`,
    started_at && between(started_at, ended_at, now),
    step.items_in > 0 && fill(words.runs.itemsIn, { count: itemCount(step.items_in) }),
    ...(earlier ? [] : Object.entries(step.items_out).map(([port, count]) => `${port}: ${itemCount(count)}`)),
    step.elements !== null && fill(words.runs.elements, { count: step.elements }),
  ];
  return (
    <Stack gap="xs" className={classes.detail} p="sm">
      <Group justify="space-between" align="flex-start" gap="xs">
        <div className={classes.name}>
          <Group gap="xs">
            <Title order={3} size="h5" lineClamp={1}>
              {label}
            </Title>
            <StatusBadge status={earlier?.status ?? (step.retrying ? 'retrying' : step.status)} />
            {attempts.length > 1 ? (
              <AttemptChoice
                attempts={attempts}
                shown={earlier?.index ?? attempts.length - 1}
                onChoose={(index) => setChosen(index === attempts.length - 1 ? null : index)}
              />
            ) : (
              step.attempt > 1 && (
                <Badge variant="default" size="sm">
                  {fill(words.runs.try, { attempt: step.attempt })}
                </Badge>
              )
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
      {error && <RunErrorView error={error} handled={!earlier && step.handled} />}
      {waits && !ENDED.has(details.status) && (
        <WaitingStep key={`${step.step} ${step.spans.length}`} run={details.id} step={step} label={label} />
      )}
      <StepTabs key={earlier?.index ?? 'now'} run={details.id} step={step} earlier={earlier} tries={attempts.length} />
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
