import { ActionIcon, Button, Group, Popover, Slider, Text } from '@mantine/core';
import { IconChevronLeft, IconChevronRight, IconPlayerPause, IconPlayerPlay } from '@tabler/icons-react';
import { useEffect, useState } from 'react';
import { fill, words } from '@/text/language';
import { JsonView } from '@/widgets/JsonView';
import { when } from '../format';
import classes from './TravelBar.module.css';
import type { Travel } from './useTravel';

const texts = words.runs.travel;
/** Milliseconds between moments that are played. */
const PACE = 350;

/** A slider through the moments of a run, with what its state was at each. */
export function TravelBar({ travel, label }: { readonly travel: Travel; readonly label: (step: string) => string }) {
  const { n, count, moment, go } = travel;
  const [playing, setPlaying] = useState(false);
  useEffect(() => {
    if (!playing) return;
    if (n >= count) {
      setPlaying(false);
      return;
    }
    const timer = setTimeout(() => go(n + 1), PACE);
    return () => clearTimeout(timer);
  }, [playing, n, count, go]);
  const state = moment?.state ?? {};
  const what = moment
    ? [when(moment.at), moment.step && label(moment.step), kindText(moment.kind)].filter(Boolean).join(' · ')
    : '';
  return (
    <section className={classes.bar} aria-label={texts.title}>
      <Group gap={4} wrap="nowrap">
        <ActionIcon
          variant="default"
          size="sm"
          aria-label={texts.before}
          disabled={n <= 1}
          onClick={() => {
            setPlaying(false);
            go(n - 1);
          }}
        >
          <IconChevronLeft size={14} />
        </ActionIcon>
        <ActionIcon
          variant="default"
          size="sm"
          aria-label={playing ? texts.stop : texts.play}
          onClick={() => {
            if (!playing && n >= count) go(1);
            setPlaying(!playing);
          }}
        >
          {playing ? <IconPlayerPause size={14} /> : <IconPlayerPlay size={14} />}
        </ActionIcon>
        <ActionIcon
          variant="default"
          size="sm"
          aria-label={texts.after}
          disabled={n >= count}
          onClick={() => {
            setPlaying(false);
            go(n + 1);
          }}
        >
          <IconChevronRight size={14} />
        </ActionIcon>
      </Group>
      <Slider
        className={classes.slider}
        size="sm"
        min={1}
        max={Math.max(2, count)}
        value={Math.max(1, n)}
        label={null}
        thumbLabel={texts.on}
        onChange={(value) => {
          setPlaying(false);
          go(value);
        }}
      />
      <Text size="xs" className={classes.what} role="status">
        {fill(texts.moment, { n, count })}
        {what && ` · ${what}`}
      </Text>
      <Popover position="bottom-end" width={360} withinPortal>
        <Popover.Target>
          <Button size="compact-xs" variant="default">
            {texts.state}
          </Button>
        </Popover.Target>
        <Popover.Dropdown mah={400} className={classes.state}>
          {Object.keys(state).length ? (
            <JsonView value={state} open={2} />
          ) : (
            <Text size="sm" c="dimmed">
              {texts.noState}
            </Text>
          )}
        </Popover.Dropdown>
      </Popover>
      <Button size="compact-xs" onClick={travel.end}>
        {texts.now}
      </Button>
    </section>
  );
}

/** What an entry of the log says, in words where there are some. */
function kindText(kind: string): string {
  const kinds: { readonly [kind: string]: string } = texts.kinds;
  return kinds[kind] ?? kind;
}
