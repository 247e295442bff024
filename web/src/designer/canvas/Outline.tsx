import { CloseButton, TextInput } from '@mantine/core';
import { useVirtualizer } from '@tanstack/react-virtual';
import { type KeyboardEvent, useEffect, useMemo, useRef, useState } from 'react';
import { perform } from '@/actions';
import { select, useEditor } from '@/editor/store';
import { fill, words } from '@/text/language';
import { useCanvas, useCanvasState, useStatus } from './context';
import { toldOf } from './marks';
import classes from './Outline.module.css';
import { outlineOf, type Row } from './outline';
import type { Scene } from './scene';
import { toneOf } from './status';

/** The graph told as a list, in the order in which it runs: for keyboards, screen readers, and who prefers lists. */
export function Outline({ scene }: { readonly scene: Scene }) {
  const shown = useCanvasState((state) => state.outline);
  return shown ? <OutlineList scene={scene} /> : null;
}

function OutlineList({ scene }: { readonly scene: Scene }) {
  const { editor, store, actions, onOpen } = useCanvas();
  const selected = useEditor(editor, (state) => state.selection.nodes);
  const [filter, setFilter] = useState('');
  const rows = useMemo(() => outlineOf(scene), [scene]);
  const wanted = filter.trim().toLowerCase();
  const found = useMemo(
    () =>
      wanted
        ? rows.filter(({ card }) =>
            `${card.title}\n${card.id}\n${card.subtitle}\n${card.node.use}`.toLowerCase().includes(wanted),
          )
        : rows,
    [rows, wanted],
  );
  const scroll = useRef<HTMLDivElement>(null);
  useEffect(() => scroll.current?.focus(), []);
  const virtual = useVirtualizer({
    count: found.length,
    getScrollElement: () => scroll.current,
    estimateSize: () => 46,
    overscan: 12,
    getItemKey: (index) => found[index]?.card.id ?? index,
  });
  const current = found.findIndex(({ card }) => selected.has(card.id));
  const choose = (index: number) => {
    const row = found[index];
    if (!row) return;
    select(editor, { nodes: [row.card.id] });
    actions.view.reveal(row.card.id);
    virtual.scrollToIndex(index);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const by: { readonly [key: string]: number } = {
      ArrowDown: current + 1,
      ArrowUp: Math.max(0, current - 1),
      Home: 0,
      End: found.length - 1,
    };
    const to = by[event.key];
    const row = found[current];
    if (to !== undefined) choose(to);
    else if (event.key === 'Enter' && row) onOpen(row.card.id);
    else if (event.key === 'ArrowRight' && row) void perform('enter', actions);
    else if (event.key === 'ArrowLeft') void perform('leave', actions);
    else return;
    event.preventDefault();
  };
  return (
    <aside className={classes.outline} aria-label={words.canvas.outline}>
      <div className={classes.head}>
        <TextInput
          size="xs"
          flex={1}
          aria-label={words.canvas.filter}
          placeholder={words.canvas.filter}
          value={filter}
          onChange={(event) => setFilter(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key === 'ArrowDown') onKeyDown(event);
          }}
        />
        <CloseButton
          aria-label={words.canvas.close}
          onClick={() => {
            store.setState({ outline: false });
            actions.view.focus();
          }}
        />
      </div>
      <div
        ref={scroll}
        className={classes.rows}
        role="listbox"
        aria-label={words.canvas.outline}
        tabIndex={0}
        aria-activedescendant={current < 0 ? undefined : `outline-${found[current]?.card.id}`}
        onKeyDown={onKeyDown}
      >
        <div style={{ height: virtual.getTotalSize(), position: 'relative' }}>
          {virtual.getVirtualItems().map((item) => {
            const row = found[item.index];
            return row ? (
              <Entry
                key={item.key}
                row={row}
                top={item.start}
                place={item.index + 1}
                count={found.length}
                chosen={selected.has(row.card.id)}
                onChoose={() => choose(item.index)}
              />
            ) : null;
          })}
        </div>
      </div>
    </aside>
  );
}

interface EntryProps {
  readonly row: Row;
  readonly top: number;
  readonly place: number;
  readonly count: number;
  readonly chosen: boolean;
  readonly onChoose: () => void;
}

function Entry({ row: { card, leads, back }, top, place, count, chosen, onChoose }: EntryProps) {
  const { onOpen } = useCanvas();
  const tone = toneOf(useStatus(card.id)?.status);
  const status = tone === 'none' ? undefined : words.canvas.status[tone];
  const after = [
    leads.length ? fill(words.canvas.leadsTo, { names: leads.join(', ') }) : '',
    back.length ? fill(words.canvas.loopsBack, { names: back.join(', ') }) : '',
  ].filter(Boolean);
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the list around it takes the keys
    <div
      id={`outline-${card.id}`}
      className={classes.row}
      role="option"
      tabIndex={-1}
      aria-selected={chosen}
      aria-posinset={place}
      aria-setsize={count}
      aria-label={[toldOf(card, status), ...after].join('; ')}
      style={{ transform: `translateY(${top}px)` }}
      onClick={onChoose}
      onDoubleClick={() => onOpen(card.id)}
    >
      <span className={classes.tone} data-tone={tone} aria-hidden="true" />
      <span className={classes.text}>
        <span className={classes.name}>{card.title}</span>
        <span className={classes.detail}>
          {card.subtitle}
          {leads.length > 0 && ` → ${leads.join(', ')}`}
          {back.length > 0 && ` ↺ ${back.join(', ')}`}
        </span>
      </span>
    </div>
  );
}
