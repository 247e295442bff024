import { ActionIcon, Group, Text } from '@mantine/core';
import { useElementSize } from '@mantine/hooks';
import { IconMaximize, IconMinus, IconPlus } from '@tabler/icons-react';
import { useVirtualizer } from '@tanstack/react-virtual';
import { type KeyboardEvent, useCallback, useMemo, useRef, useState, type WheelEvent } from 'react';
import { words } from '@/text/language';
import type { Span, StepLive } from './fold';
import { between, duration } from './format';
import type { RunLive } from './live';
import { rowsOf } from './rows';
import { StatusSign } from './StatusBadge';
import { placeOf } from './steps';
import classes from './Timeline.module.css';
import { type Extent, extentOf, markEvery } from './timescale';

const HEIGHT = 26;
const LABELS = 190;
const NO_TOGGLES: ReadonlyMap<string, boolean> = new Map();
const MOST_ZOOM = 4000;

interface TimelineProps {
  readonly run: RunLive;
  readonly label: (step: StepLive) => string;
  readonly chosen: string | null;
  readonly onChoose: (step: string) => void;
  readonly now: number;
}

/** When each step ran, each try and each wait a bar; zoomed by its buttons, by + and −, or by the wheel with Ctrl. */
export default function Timeline({ run, label, chosen, onChoose, now }: TimelineProps) {
  const [zoom, setZoom] = useState(1);
  const { ref: sizer, width } = useElementSize<HTMLDivElement>();
  const scroll = useRef<HTMLDivElement>(null);
  const rows = useMemo(() => rowsOf(run.steps, NO_TOGGLES).filter((row) => row.step.spans.length > 0), [run.steps]);
  const extent = useMemo(
    () => extentOf(run.steps.values(), run.state.started_at, now),
    [run.steps, run.state.started_at, now],
  );
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroll.current,
    estimateSize: () => HEIGHT,
    overscan: 10,
    paddingStart: 24,
  });
  const room = Math.max(120, width - LABELS - 24) * zoom;
  const scale = room / (extent.end - extent.start);

  /** The time under the middle of the view stays there. */
  const zoomBy = useCallback(
    (factor: number) => {
      const view = scroll.current;
      const before = zoom;
      const after = Math.max(1, Math.min(MOST_ZOOM, before * factor));
      setZoom(after);
      if (!view) return;
      const middle = view.scrollLeft + (view.clientWidth - LABELS) / 2;
      requestAnimationFrame(() => {
        view.scrollLeft = (middle * after) / before - (view.clientWidth - LABELS) / 2;
      });
    },
    [zoom],
  );

  function press(event: KeyboardEvent) {
    const at = rows.findIndex((row) => row.step.step === chosen);
    const move = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (move !== undefined) {
      const next = rows[Math.max(0, Math.min(rows.length - 1, at + move))];
      if (next) {
        onChoose(next.step.step);
        virtual.scrollToIndex(rows.indexOf(next), { align: 'auto' });
      }
    } else if (event.key === '+' || event.key === '=') zoomBy(1.5);
    else if (event.key === '-') zoomBy(1 / 1.5);
    else if (event.key === '0') setZoom(1);
    else return;
    event.preventDefault();
  }

  function wheel(event: WheelEvent) {
    if (event.ctrlKey || event.metaKey) zoomBy(event.deltaY < 0 ? 1.2 : 1 / 1.2);
  }

  if (!rows.length) {
    return (
      <Text c="dimmed" size="sm" p="md">
        {words.runs.noSteps}
      </Text>
    );
  }
  return (
    <div className={classes.timeline} ref={sizer}>
      <Group gap={4} className={classes.tools}>
        <ActionIcon size="sm" variant="default" aria-label={words.runs.zoomIn} onClick={() => zoomBy(1.5)}>
          <IconPlus size={14} />
        </ActionIcon>
        <ActionIcon size="sm" variant="default" aria-label={words.runs.zoomOut} onClick={() => zoomBy(1 / 1.5)}>
          <IconMinus size={14} />
        </ActionIcon>
        <ActionIcon size="sm" variant="default" aria-label={words.runs.zoomFit} onClick={() => setZoom(1)}>
          <IconMaximize size={14} />
        </ActionIcon>
      </Group>
      <div
        ref={scroll}
        className={classes.scroll}
        role="listbox"
        aria-label={words.runs.timelineAbout}
        tabIndex={0}
        onKeyDown={press}
        onWheel={wheel}
      >
        <div
          role="presentation"
          style={{ height: virtual.getTotalSize(), width: LABELS + room + 24, position: 'relative' }}
        >
          <Marks extent={extent} scale={scale} height={virtual.getTotalSize()} view={scroll.current} />
          {virtual.getVirtualItems().map(({ index, start }) => {
            const row = rows[index];
            if (!row) return null;
            return (
              <TimelineRow
                key={row.step.step}
                step={row.step}
                depth={row.depth}
                label={label(row.step)}
                top={start}
                chosen={row.step.step === chosen}
                extent={extent}
                scale={scale}
                now={now}
                onChoose={onChoose}
              />
            );
          })}
        </div>
      </div>
    </div>
  );
}

function Marks({
  extent,
  scale,
  height,
  view,
}: {
  readonly extent: Extent;
  readonly scale: number;
  readonly height: number;
  readonly view: HTMLElement | null;
}) {
  const every = markEvery(scale);
  const from = Math.max(0, Math.floor(((view?.scrollLeft ?? 0) - 600) / scale / every));
  const most = Math.ceil(((view?.clientWidth ?? 1600) + 1200) / scale / every);
  const until = Math.min(Math.floor((extent.end - extent.start) / every), from + most);
  const marks = Array.from({ length: Math.max(0, until - from + 1) }, (_, index) => (from + index) * every);
  return (
    <>
      {marks.map((at) => (
        <div key={at} className={classes.mark} style={{ insetInlineStart: LABELS + at * scale, height }} aria-hidden>
          <span>{at ? duration(at / 1000) : '0'}</span>
        </div>
      ))}
    </>
  );
}

interface RowProps {
  readonly step: StepLive;
  readonly depth: number;
  readonly label: string;
  readonly top: number;
  readonly chosen: boolean;
  readonly extent: Extent;
  readonly scale: number;
  readonly now: number;
  readonly onChoose: (step: string) => void;
}

function TimelineRow({ step, depth, label, top, chosen, extent, scale, now, onChoose }: RowProps) {
  const place = placeOf(step.step);
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the list takes the keys
    // biome-ignore lint/a11y/useFocusableInteractive: the list has the focus
    <div
      role="option"
      aria-selected={chosen}
      aria-label={`${label} ${place}: ${words.runs.status[step.status]}, ${between(step.started_at, step.ended_at, now)}`}
      className={classes.row}
      style={{ transform: `translateY(${top}px)` }}
      onClick={() => onChoose(step.step)}
    >
      <div className={classes.label} style={{ width: LABELS, paddingInlineStart: 8 + depth * 12 }}>
        <StatusSign status={step.status} size={14} handled={step.status === 'failed' && step.handled} />
        <span className={classes.name}>
          {label} <span className={classes.place}>{place}</span>
        </span>
      </div>
      {step.spans.map((span) => (
        <Bar key={`${span.kind}${span.started_at}`} span={span} extent={extent} scale={scale} now={now} />
      ))}
    </div>
  );
}

function Bar({
  span,
  extent,
  scale,
  now,
}: {
  readonly span: Span;
  readonly extent: Extent;
  readonly scale: number;
  readonly now: number;
}) {
  const start = Date.parse(span.started_at);
  const end = span.ended_at ? Date.parse(span.ended_at) : Math.max(now, start);
  const took = duration((end - start) / 1000);
  const about = span.kind === 'wait' ? words.runs.step.wait : words.runs.status[span.status];
  return (
    <div
      className={classes.bar}
      data-kind={span.kind}
      data-status={span.status}
      title={`${about}, ${took}`}
      style={{
        insetInlineStart: LABELS + (start - extent.start) * scale,
        width: Math.max(3, (end - start) * scale),
      }}
    />
  );
}
