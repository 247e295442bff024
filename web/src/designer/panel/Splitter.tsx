import type { RefObject } from 'react';
import classes from './panel.module.css';

interface Props {
  readonly label: string;
  /** Width in percent of the place. */
  readonly value: number;
  readonly place: RefObject<HTMLElement | null>;
  /** The side of the place that the pane is at. */
  readonly from: 'start' | 'end';
  readonly onChange: (value: number) => void;
}

const LEAST = 15;
const MOST = 50;
const limited = (value: number) => Math.round(Math.max(LEAST, Math.min(MOST, value)) * 10) / 10;

/** A bar between two panes that is dragged, or moved by the arrows. */
export function Splitter({ label, value, place, from, onChange }: Props) {
  const keys: Record<string, number> = { ArrowLeft: from === 'start' ? -2 : 2, ArrowRight: from === 'start' ? 2 : -2 };
  return (
    // biome-ignore lint/a11y/useSemanticElements: a separator that moves is no rule between paragraphs.
    <div
      className={classes.splitter}
      role="separator"
      aria-orientation="vertical"
      aria-label={label}
      aria-valuenow={Math.round(value)}
      aria-valuemin={LEAST}
      aria-valuemax={MOST}
      tabIndex={0}
      onPointerDown={(event) => {
        event.preventDefault();
        event.currentTarget.setPointerCapture(event.pointerId);
      }}
      onPointerMove={(event) => {
        if (!event.currentTarget.hasPointerCapture(event.pointerId) || !place.current) return;
        const box = place.current.getBoundingClientRect();
        const part = ((event.clientX - box.left) / box.width) * 100;
        onChange(limited(from === 'start' ? part : 100 - part));
      }}
      onKeyDown={(event) => {
        const step = keys[event.key];
        if (step === undefined) return;
        event.preventDefault();
        onChange(limited(value + step));
      }}
    />
  );
}
