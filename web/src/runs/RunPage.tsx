import { Anchor, Box, Button, Center, Group, Loader, Text, Title, VisuallyHidden } from '@mantine/core';
import { useLocalStorage, useMediaQuery } from '@mantine/hooks';
import { IconHistory } from '@tabler/icons-react';
import { lazy, type ReactNode, Suspense, useCallback, useEffect, useMemo, useState } from 'react';
import { Link, useLocation } from 'wouter';
import { words } from '@/text/language';
import { ErrorMessage } from '@/widgets/ErrorMessage';
import { ENDED } from './fold';
import { between, when } from './format';
import { LinkBanner } from './LinkBanner';
import { type RunLive, useLabels, useRunError, useRunLive } from './live';
import { RunActions } from './RunActions';
import { RunInspector } from './RunInspector';
import classes from './RunPage.module.css';
import { stepToShow } from './rows';
import { Separator } from './Separator';
import { StatusBadge } from './StatusBadge';
import { parseStep, pictureOf, shapeOf } from './steps';
import { TravelBar } from './travel/TravelBar';
import { useTravel } from './travel/useTravel';
import { useNow } from './useNow';

const RunCanvas = lazy(() => import('./RunCanvas'));

/** One run: how it stands, live, what its steps did, and all that can be asked of it. */
export default function RunPage({ id }: { readonly id: string }) {
  const run = useRunLive(id);
  const error = useRunError(id);
  if (run) return <Shown run={run} />;
  if (error) {
    return (
      <Box p="md">
        <ErrorMessage title={words.runs.unreadable} error={error} />
        <Anchor component={Link} href="/runs" mt="md" display="inline-block">
          {words.runs.compare.back}
        </Anchor>
      </Box>
    );
  }
  return (
    <Center h="100%">
      <Loader aria-label={words.runs.loading} />
    </Center>
  );
}

function Shown({ run }: { readonly run: RunLive }) {
  const { shown, travel, begin } = useTravel(run);
  const [chosen, setChosen] = useState<string | null>(null);
  const [frame, setFrame] = useState('');
  const [height, setHeight] = useLocalStorage({ key: 'pyagent.run-page', defaultValue: 380 });
  const small = useMediaQuery('(max-width: 800px)');
  const [, go] = useLocation();
  const { details } = run;
  const label = useLabels(run);
  useEffect(() => {
    document.title = `${details.name} · ${words.runs.status[run.status]} · ${words.shell.name}`;
    return () => {
      document.title = words.shell.name;
    };
  }, [details.name, run.status]);

  const { steps } = shown;
  const first = useMemo(() => (chosen ? null : stepToShow(steps)), [chosen, steps]);
  const step = steps.get(chosen ?? first ?? '') ?? null;
  const frames = details.frames;
  const choose = useCallback(
    (name: string) => {
      setChosen(name);
      const known = frames.map((each) => each.frame);
      setFrame(pictureOf(shapeOf(parseStep(name).frame), known));
    },
    [frames],
  );
  return (
    <div className={classes.page}>
      <header className={classes.header}>
        <div className={classes.about}>
          <Group gap="sm" wrap="nowrap">
            <Title order={1} size="h4" lineClamp={1}>
              {details.name}
            </Title>
            <span data-run-status={run.status}>
              <StatusBadge status={run.status} />
            </span>
            <VisuallyHidden role="status">{words.runs.status[run.status]}</VisuallyHidden>
          </Group>
          <Facts run={run} />
        </div>
        <Group gap="xs">
          <Button
            size="xs"
            variant={travel ? 'light' : 'default'}
            leftSection={<IconHistory size={16} />}
            aria-pressed={travel !== null}
            onClick={travel ? travel.end : begin}
          >
            {words.runs.travel.title}
          </Button>
          <RunActions details={details} status={run.status} />
        </Group>
      </header>
      <LinkBanner link={run.link} />
      {travel && <TravelBar travel={travel} label={(name) => label(parseStep(name))} />}
      <div className={classes.canvas}>
        <Suspense>
          <RunCanvas run={shown} step={chosen ? step : null} frame={frame} onFrame={setFrame} onChoose={setChosen} />
        </Suspense>
      </div>
      <div className={classes.inspector} style={small ? undefined : { height }}>
        {!small && (
          <Separator
            label={words.runs.sizePanel}
            size={height}
            onSize={setHeight}
            least={160}
            most={window.innerHeight * 0.8}
          />
        )}
        <RunInspector
          run={shown}
          chosen={step?.step ?? null}
          onChoose={choose}
          onForked={(made) => go(`/runs/${made}`)}
        />
      </div>
    </div>
  );
}

function Facts({ run }: { readonly run: RunLive }) {
  const { details, state } = run;
  const now = useNow(!ENDED.has(run.status));
  const texts = words.runs.facts;
  const start = state.started_at ?? details.created_at;
  const facts: [string, ReactNode][] = [
    [texts.took, between(start, state.ended_at, now)],
    [texts.started, when(start)],
    [texts.trigger, details.trigger || texts.byHand],
    [texts.actor, details.actor],
    [texts.key, details.key],
    [texts.forked, details.forked_from && <RunLink id={details.forked_from} />],
    [texts.continues, details.continues && <RunLink id={details.continues} />],
    [texts.continued, details.continued_as && <RunLink id={details.continued_as} />],
    [texts.parent, details.parent_run && <RunLink id={details.parent_run} />],
    [texts.wakes, run.status === 'waiting' && details.wake_at ? when(details.wake_at) : null],
    [texts.id, <code key="id">{details.id}</code>],
  ];
  return (
    <Text size="xs" c="dimmed" component="dl" className={classes.facts}>
      {!details.production && (
        <div>
          <dt>
            <VisuallyHidden>{words.runs.list.kind}</VisuallyHidden>
          </dt>
          <dd>{texts.test}</dd>
        </div>
      )}
      {facts.map(
        ([name, value]) =>
          value && (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ),
      )}
    </Text>
  );
}

function RunLink({ id }: { readonly id: string }) {
  return (
    <Anchor component={Link} href={`/runs/${id}`} size="xs">
      {id}
    </Anchor>
  );
}
