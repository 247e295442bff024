import { useVirtualizer } from '@tanstack/react-virtual';
import { type KeyboardEvent, type ReactNode, useId, useRef, useState } from 'react';
import classes from './data.module.css';

interface Props {
  readonly count: number;
  readonly height: number;
  readonly label: string;
  readonly role?: 'tree' | 'list';
  /** A row's content and what tells of it to screen readers. */
  readonly row: (index: number) => { content: ReactNode; props?: Record<string, unknown> };
  /** Keys beside the arrows, on the row that is active. */
  readonly onKey?: (index: number, event: KeyboardEvent) => void;
  /** The row that the keyboard has come to; null where it has gone elsewhere. */
  readonly onActive?: (index: number | null) => void;
}

/** Rows of which only those in view are drawn. The arrows move from row to row. */
export function VirtualRows({ count, height, label, role = 'list', row, onKey, onActive }: Props) {
  const scroller = useRef<HTMLDivElement>(null);
  const id = useId();
  const [active, setActive] = useState(0);
  const virtual = useVirtualizer({
    count,
    getScrollElement: () => scroller.current,
    estimateSize: () => height,
    overscan: 12,
  });
  const move = (to: number) => {
    const next = Math.max(0, Math.min(count - 1, to));
    setActive(next);
    onActive?.(next);
    virtual.scrollToIndex(next);
  };
  const keys: Record<string, () => void> = {
    ArrowDown: () => move(active + 1),
    ArrowUp: () => move(active - 1),
    PageDown: () => move(active + 15),
    PageUp: () => move(active - 15),
    Home: () => move(0),
    End: () => move(count - 1),
  };
  const item = role === 'tree' ? 'treeitem' : 'listitem';
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: its role is a tree's or a list's.
    // biome-ignore lint/a11y/useAriaPropsSupportedByRole: only a tree has an active descendant.
    <div
      ref={scroller}
      className={classes.scroller}
      tabIndex={0}
      role={role}
      aria-label={label}
      aria-activedescendant={role === 'tree' && count ? `${id}-${active}` : undefined}
      onFocus={(event) => event.target === event.currentTarget && onActive?.(active)}
      onBlur={() => onActive?.(null)}
      onKeyDown={(event) => {
        if (event.target !== event.currentTarget) return;
        const key = keys[event.key];
        if (key) {
          event.preventDefault();
          key();
        } else onKey?.(active, event);
      }}
    >
      <div style={{ height: virtual.getTotalSize(), position: 'relative' }} role="presentation">
        {virtual.getVirtualItems().map((one) => {
          const { content, props } = row(one.index);
          return (
            <div
              key={one.key}
              id={`${id}-${one.index}`}
              role={item}
              className={classes.row}
              data-active={one.index === active || undefined}
              style={{ transform: `translateY(${one.start}px)`, height }}
              onPointerDown={() => setActive(one.index)}
              {...props}
            >
              {content}
            </div>
          );
        })}
      </div>
    </div>
  );
}
