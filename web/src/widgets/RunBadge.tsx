import { Badge } from '@mantine/core';

const COLORS: Readonly<Record<string, string>> = {
  queued: 'gray',
  running: 'blue',
  waiting: 'yellow',
  paused: 'orange',
  completed: 'teal',
  failed: 'red',
  cancelled: 'gray',
};

/** The status of a run or a step; the word says it, the colour repeats it. */
export function RunBadge({ status }: { readonly status: string }) {
  return (
    <Badge color={COLORS[status] ?? 'gray'} variant="light" tt="none" radius="sm" size="sm" autoContrast>
      {status}
    </Badge>
  );
}
