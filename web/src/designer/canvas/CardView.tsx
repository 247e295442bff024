import { useComputedColorScheme } from '@mantine/core';
import {
  IconAlertTriangle,
  IconClock,
  IconDatabase,
  IconNote,
  IconPin,
  IconPlayerPause,
  IconRefresh,
  IconRepeat,
  IconStack2,
} from '@tabler/icons-react';
import { Handle, type NodeProps, Position } from '@xyflow/react';
import { type CSSProperties, memo, type ReactNode, useState } from 'react';
import { portOffset } from '@/graph/shape';
import { fill, words } from '@/text/language';
import { CardTools } from './CardTools';
import classes from './CardView.module.css';
import { strong, tint } from './colors';
import { useCanvas, useStatus } from './context';
import type { CardNode } from './flow';
import { marksOf } from './marks';
import type { Card } from './scene';
import { toneOf } from './status';
import { TypeIcon } from './TypeIcon';

const ICONS: { readonly [mark: string]: ReactNode } = {
  retry: <IconRefresh size={12} />,
  wait: <IconClock size={12} />,
  header: <IconRepeat size={12} />,
  cached: <IconDatabase size={12} />,
  noted: <IconNote size={12} />,
  inside: <IconStack2 size={12} />,
  disabled: <IconPlayerPause size={12} />,
  pinned: <IconPin size={12} />,
};

/** Signs beside colours, as in a difference of texts. */
const DIFFERS = { added: '+', removed: '−', changed: '±', moved: '↔' } as const;

/** A node: its icon, its names, its ports, and marks for what is special about it. */
export const CardView = memo(function CardView({ data: { card }, selected }: NodeProps<CardNode>) {
  const { readOnly, store, marks } = useCanvas();
  const mark = marks?.nodes.get(card.id);
  const [hovered, setHovered] = useState(false);
  const status = useStatus(card.id);
  const dark = useComputedColorScheme('light') === 'dark';
  const tone = toneOf(status?.status);
  const style = {
    ...(card.color && { '--tint': tint(card.color, dark), '--strong': strong(card.color) }),
  } as CSSProperties;
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: hovering only shows tools that the keyboard has as actions
    <div
      className={classes.card}
      style={style}
      data-card={card.id}
      data-tone={tone}
      data-differs={mark}
      data-selected={selected || undefined}
      data-trigger={card.kind === 'trigger' || undefined}
      data-disabled={card.node.disabled || undefined}
      data-missing={!card.installed || undefined}
      data-problem={card.errors ? 'error' : card.warnings ? 'warning' : undefined}
      onPointerEnter={() => setHovered(true)}
      onPointerLeave={() => setHovered(false)}
      onDoubleClick={(event) => {
        if ((event.target as Element).closest('[data-title]') && event.altKey) {
          store.setState({ editing: { kind: 'name', id: card.id } });
        }
      }}
    >
      <Ports card={card} />
      <TypeIcon icon={card.icon} domain={card.domain} dark={dark} size={20} />
      <span className={classes.names}>
        <span className={classes.title} data-title title={card.title}>
          {card.title}
        </span>
        <span className={classes.subtitle} title={card.node.use}>
          {card.installed ? card.subtitle : words.canvas.notInstalled}
        </span>
      </span>
      <Marks card={card} />
      {(card.errors > 0 || card.warnings > 0) && <Problems card={card} />}
      {status && tone !== 'none' && (
        <span className={classes.status} data-tone={tone} title={status.error?.message ?? words.canvas.status[tone]}>
          <StatusSign tone={tone} />
          {status.runs > 1 ? status.runs : ''}
        </span>
      )}
      {mark && (
        <span className={classes.differs} data-mark={mark} title={words.canvas.differs[mark]}>
          {DIFFERS[mark]}
        </span>
      )}
      {hovered && <CardTools card={card} readOnly={readOnly} />}
    </div>
  );
});

/** Signs beside colours: nobody needs to tell red from green. */
function StatusSign({ tone }: { readonly tone: string }) {
  if (tone === 'running') return <span className={classes.spinner} />;
  return <span aria-hidden="true">{{ done: '✓', failed: '!', waiting: '⏸', skipped: '–' }[tone] ?? ''}</span>;
}

function Ports({ card }: { readonly card: Card }) {
  const { actions, readOnly } = useCanvas();
  const ask = (port: string, side: 'in' | 'out') =>
    readOnly ? undefined : () => actions.open('palette', { from: { node: card.id, port, side } });
  return (
    <>
      {card.inputs.map((port, index) => (
        <Handle
          key={`in ${port}`}
          type="target"
          position={Position.Left}
          id={port}
          className={classes.input}
          style={{ top: portOffset(index, card.inputs.length, card.height) }}
          title={fill(words.canvas.port, { port })}
          onClick={ask(port, 'in')}
        />
      ))}
      {card.outputs.map((port, index) => (
        <Handle
          key={`out ${port}`}
          type="source"
          position={Position.Right}
          id={port}
          className={classes.output}
          data-error={port === 'error' || undefined}
          style={{ top: portOffset(index, card.outputs.length, card.height) }}
          onClick={ask(port, 'out')}
          title={fill(port === 'error' ? words.canvas.errorPort : words.canvas.port, { port })}
        >
          {card.outputs.length > 1 && <span className={classes.portName}>{port}</span>}
        </Handle>
      ))}
    </>
  );
}

function Marks({ card }: { readonly card: Card }) {
  const marks = marksOf(card);
  if (!marks.length) return null;
  return (
    <span className={classes.marks}>
      {marks.map(({ mark, text, label }) => (
        <span key={mark} className={classes.mark} data-mark={mark} title={label}>
          {ICONS[mark]}
          {text}
        </span>
      ))}
    </span>
  );
}

function Problems({ card }: { readonly card: Card }) {
  const { errors, warnings } = card;
  const text = errors
    ? errors === 1
      ? words.canvas.oneError
      : fill(words.canvas.errors, { count: errors })
    : warnings === 1
      ? words.canvas.oneWarning
      : fill(words.canvas.warnings, { count: warnings });
  return (
    <span className={classes.problem} data-severity={errors ? 'error' : 'warning'} title={text}>
      <IconAlertTriangle size={14} />
    </span>
  );
}
