import { Text } from '@mantine/core';
import { useVirtualizer } from '@tanstack/react-virtual';
import { useEffect, useRef } from 'react';
import { words } from '@/text/language';
import type { LogLine } from './fold';
import { when } from './format';
import classes from './LogView.module.css';

/** What a step has said; it stays at the end while that is in view. */
export function LogView({ lines }: { readonly lines: readonly LogLine[] }) {
  const scroll = useRef<HTMLDivElement>(null);
  const atEnd = useRef(true);
  const virtual = useVirtualizer({
    count: lines.length,
    getScrollElement: () => scroll.current,
    estimateSize: () => 20,
    overscan: 20,
  });
  useEffect(() => {
    if (atEnd.current && lines.length) virtual.scrollToIndex(lines.length - 1);
  }, [lines.length, virtual]);

  if (!lines.length) {
    return (
      <Text size="sm" c="dimmed" p="sm">
        {words.runs.noLog}
      </Text>
    );
  }
  return (
    <div
      ref={scroll}
      className={classes.log}
      role="log"
      aria-label={words.runs.log}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by keyboard
      tabIndex={0}
      onScroll={({ currentTarget: { scrollTop, scrollHeight, clientHeight } }) => {
        atEnd.current = scrollTop + clientHeight >= scrollHeight - 24;
      }}
    >
      <div style={{ height: virtual.getTotalSize(), position: 'relative' }}>
        {virtual.getVirtualItems().map(({ index, start }) => {
          const line = lines[index];
          if (!line) return null;
          return (
            <div
              key={index}
              data-index={index}
              ref={virtual.measureElement}
              className={classes.line}
              data-level={line.level}
              style={{ transform: `translateY(${start}px)` }}
            >
              <time dateTime={line.at}>{when(line.at)}</time>
              <span>
                {line.message}
                {line.more && <span className={classes.more}> {JSON.stringify(line.more)}</span>}
              </span>
            </div>
          );
        })}
      </div>
    </div>
  );
}
