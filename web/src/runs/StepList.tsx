import { Text, TextInput } from '@mantine/core';
import { IconChevronDown, IconChevronRight, IconSearch } from '@tabler/icons-react';
import { useVirtualizer } from '@tanstack/react-virtual';
import { type KeyboardEvent, useEffect, useId, useMemo, useRef, useState } from 'react';
import { fill, words } from '@/text/language';
import type { StepLive } from './fold';
import { between, itemCount } from './format';
import { rowsOf, type StepRow } from './rows';
import { StatusSign } from './StatusBadge';
import classes from './StepList.module.css';
import { placeOf } from './steps';

const HEIGHT = 30;

interface StepListProps {
  readonly steps: ReadonlyMap<string, StepLive>;
  readonly label: (step: StepLive) => string;
  readonly chosen: string | null;
  readonly onChoose: (step: string) => void;
  readonly now: number;
}

/** The steps of a run as a tree; only the rows in view are drawn. */
export function StepList({ steps, label, chosen, onChoose, now }: StepListProps) {
  const [toggled, setToggled] = useState<ReadonlyMap<string, boolean>>(new Map());
  const [filter, setFilter] = useState('');
  const scroll = useRef<HTMLDivElement>(null);
  const id = useId();
  const rows = useMemo(() => {
    const wanted = filter.trim().toLowerCase();
    const fits = (step: StepLive) => `${label(step)} ${step.step} ${step.status}`.toLowerCase().includes(wanted);
    return rowsOf(steps, toggled, wanted ? fits : null);
  }, [steps, toggled, filter, label]);
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroll.current,
    estimateSize: () => HEIGHT,
    overscan: 12,
  });
  const at = rows.findIndex((row) => row.step.step === chosen);

  // biome-ignore lint/correctness/useExhaustiveDependencies: only another choice scrolls; rows that come in do not
  useEffect(() => {
    if (at >= 0) virtual.scrollToIndex(at, { align: 'auto' });
  }, [chosen]);

  const toggle = (row: StepRow, open: boolean) => setToggled((before) => new Map(before).set(row.step.step, open));

  function press(event: KeyboardEvent) {
    const row = rows[at];
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -rows.length, End: rows.length }[
      event.key
    ];
    if (step !== undefined) {
      const next = rows[Math.max(0, Math.min(rows.length - 1, at + step))];
      if (next) onChoose(next.step.step);
    } else if (event.key === 'ArrowRight' && row?.children && !row.open) toggle(row, true);
    else if (event.key === 'ArrowLeft' && row?.open) toggle(row, false);
    else if (event.key === 'ArrowLeft' && row?.step.owner) onChoose(row.step.owner);
    else return;
    event.preventDefault();
  }

  if (!steps.size) {
    return (
      <Text c="dimmed" size="sm" p="md">
        {words.runs.noSteps}
      </Text>
    );
  }
  return (
    <div className={classes.list}>
      {steps.size > 8 && (
        <TextInput
          size="xs"
          m={6}
          leftSection={<IconSearch size={14} />}
          aria-label={words.runs.filterSteps}
          placeholder={words.runs.filterSteps}
          value={filter}
          onChange={(event) => setFilter(event.currentTarget.value)}
        />
      )}
      {rows.length === 0 && (
        <Text c="dimmed" size="sm" px="md">
          {words.runs.noStepFits}
        </Text>
      )}
      <div
        ref={scroll}
        className={classes.scroll}
        role="tree"
        aria-label={words.runs.stepList}
        tabIndex={0}
        aria-activedescendant={at >= 0 ? `${id}-${at}` : undefined}
        onKeyDown={press}
      >
        <div role="none" style={{ height: virtual.getTotalSize(), position: 'relative' }}>
          {virtual.getVirtualItems().map(({ index, start }) => {
            const row = rows[index];
            if (!row) return null;
            return (
              <Row
                key={row.step.step}
                id={`${id}-${index}`}
                row={row}
                top={start}
                label={label(row.step)}
                chosen={row.step.step === chosen}
                now={row.step.ended_at ? 0 : now}
                onChoose={onChoose}
                onToggle={toggle}
              />
            );
          })}
        </div>
      </div>
    </div>
  );
}

interface RowProps {
  readonly id: string;
  readonly row: StepRow;
  readonly top: number;
  readonly label: string;
  readonly chosen: boolean;
  readonly now: number;
  readonly onChoose: (step: string) => void;
  readonly onToggle: (row: StepRow, open: boolean) => void;
}

function Row({ id, row, top, label, chosen, now, onChoose, onToggle }: RowProps) {
  const { step, depth, children, open } = row;
  const given = Object.values(step.items_out).reduce((sum, count) => sum + count, 0);
  const status = step.retrying ? 'retrying' : step.status;
  const more = [placeOf(step.step), step.attempt > 1 ? fill(words.runs.try, { attempt: step.attempt }) : ''];
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the tree takes the keys
    // biome-ignore lint/a11y/useFocusableInteractive: the tree has the focus and says which row is active
    <div
      id={id}
      role="treeitem"
      aria-level={depth + 1}
      aria-selected={chosen}
      aria-expanded={children ? open : undefined}
      className={classes.row}
      data-step={step.step}
      data-status={step.status}
      style={{ transform: `translateY(${top}px)`, paddingInlineStart: 8 + depth * 16 }}
      onClick={() => onChoose(step.step)}
    >
      {children ? (
        // biome-ignore lint/a11y/noStaticElementInteractions: the arrow keys do the same
        // biome-ignore lint/a11y/useKeyWithClickEvents: the arrow keys do the same
        <span
          className={classes.fold}
          onClick={(event) => {
            event.stopPropagation();
            onToggle(row, !open);
          }}
        >
          {open ? <IconChevronDown size={14} /> : <IconChevronRight size={14} />}
        </span>
      ) : (
        <span className={classes.fold} />
      )}
      <StatusSign status={status} size={16} handled={step.status === 'failed' && step.handled} />
      <span className={classes.label}>{label}</span>
      <span className={classes.more}>{more.filter(Boolean).join(' · ')}</span>
      <span className={classes.message}>{step.status === 'completed' ? '' : step.message}</span>
      <span className={classes.items}>
        {step.status === 'completed' && given > 0 ? itemCount(given) : ''}
        {step.status === 'running' && step.fraction !== null ? `${Math.round(step.fraction * 100)} %` : ''}
      </span>
      <span className={classes.time}>
        {step.status === 'skipped' ? '' : between(step.started_at, step.ended_at, now || undefined)}
      </span>
    </div>
  );
}
