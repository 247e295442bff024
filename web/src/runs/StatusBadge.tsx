import { Loader } from '@mantine/core';
import {
  IconAlertTriangle,
  IconBan,
  IconCheck,
  IconClock,
  IconHelp,
  IconMinus,
  IconPlayerPause,
  IconRefresh,
  IconX,
} from '@tabler/icons-react';
import type { ReactNode } from 'react';
import { words } from '@/text/language';
import type { RunStatus, StepStatus } from './fold';
import classes from './StatusBadge.module.css';

type AnyStatus = RunStatus | StepStatus | 'retrying';

const SIGNS: { readonly [status in AnyStatus]: (size: number) => ReactNode } = {
  queued: (size) => <IconClock size={size} />,
  running: (size) => <Loader size={size} color="currentColor" aria-hidden />,
  retrying: (size) => <IconRefresh size={size} />,
  waiting: (size) => <IconClock size={size} />,
  paused: (size) => <IconPlayerPause size={size} />,
  completed: (size) => <IconCheck size={size} />,
  failed: (size) => <IconX size={size} />,
  cancelled: (size) => <IconBan size={size} />,
  unknown: (size) => <IconHelp size={size} />,
  skipped: (size) => <IconMinus size={size} />,
};

/** The round sign of a status, with its name for those who do not see it. */
export function StatusSign({
  status,
  size = 18,
  handled = false,
}: {
  readonly status: AnyStatus;
  readonly size?: number;
  readonly handled?: boolean;
}) {
  const inner = Math.round(size * 0.68);
  return (
    <span
      className={classes.sign}
      data-status={handled ? 'handled' : status}
      style={{ width: size, height: size }}
      role="img"
      aria-label={words.runs.status[status]}
      title={words.runs.status[status]}
    >
      {handled ? <IconAlertTriangle size={inner} /> : SIGNS[status](inner)}
    </span>
  );
}

/** A status as a word with its sign and colour. */
export function StatusBadge({ status }: { readonly status: AnyStatus }) {
  return (
    <span className={classes.badge} data-status={status}>
      <span aria-hidden className={classes.inner}>
        {SIGNS[status](13)}
      </span>
      {words.runs.status[status]}
    </span>
  );
}
