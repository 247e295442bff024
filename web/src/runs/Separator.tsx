import type { KeyboardEvent, PointerEvent } from 'react';
import classes from './Separator.module.css';

interface SeparatorProps {
  readonly label: string;
  /** Height of what stands below, in pixels. */
  readonly size: number;
  readonly onSize: (size: number) => void;
  readonly least: number;
  readonly most: number;
}

/** The upper edge of a panel, which can be dragged or moved by the arrow keys. */
export function Separator({ label, size, onSize, least, most }: SeparatorProps) {
  const set = (wanted: number) => onSize(Math.round(Math.max(least, Math.min(most, wanted))));

  function press(event: KeyboardEvent) {
    const step = { ArrowUp: 24, ArrowDown: -24 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    set(size + step);
  }

  function drag(event: PointerEvent<HTMLDivElement>) {
    const edge = event.currentTarget;
    const from = event.clientY;
    edge.setPointerCapture(event.pointerId);
    const move = (moved: globalThis.PointerEvent) => set(size + from - moved.clientY);
    const end = () => {
      edge.removeEventListener('pointermove', move);
      edge.removeEventListener('pointerup', end);
    };
    edge.addEventListener('pointermove', move);
    edge.addEventListener('pointerup', end);
  }

  return (
    // biome-ignore lint/a11y/useSemanticElements: a line between paragraphs cannot be moved
    <div
      role="separator"
      aria-orientation="horizontal"
      aria-label={label}
      aria-valuenow={Math.round(size)}
      aria-valuemin={least}
      aria-valuemax={Math.round(most)}
      tabIndex={0}
      className={classes.edge}
      onKeyDown={press}
      onPointerDown={drag}
    />
  );
}
