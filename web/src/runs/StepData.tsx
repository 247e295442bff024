import { Loader, Text } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { type ReactNode, useMemo, useState } from 'react';
import { ApiError } from '@/api/client';
import { type OriginView, useStep } from '@/api/runData';
import { type Looking, LookingContext } from '@/designer/panel/data/context';
import { ItemsView } from '@/designer/panel/data/ItemsView';
import { words } from '@/text/language';
import { ErrorMessage } from '@/widgets/ErrorMessage';
import type { StepLive } from './fold';
import classes from './StepData.module.css';
import { versionOf } from './steps';

/** The items that a step was given or gave, a page at a time, as the node panel shows them. */
export default function StepData({
  run,
  step,
  side,
}: {
  readonly run: string;
  readonly step: StepLive;
  readonly side: 'inputs' | 'outputs';
}) {
  const [offset, setOffset] = useState(0);
  const asked = step.status === 'skipped' ? null : step.step;
  const { data, error, isPending } = useStep(run, asked, offset, versionOf(step));
  if (error && !(error instanceof ApiError && error.status === 404)) {
    return <ErrorMessage title={words.runs.actions.failed} error={error} />;
  }
  if (asked && isPending && !error) return <Loader size="sm" m="sm" aria-label={words.shell.loading} />;
  const ports = Object.entries(data?.[side] ?? {});
  if (!ports.some(([, port]) => port.count > 0)) {
    return (
      <Text size="sm" c="dimmed" p="sm">
        {step.ended_at || side === 'inputs' ? words.runs.step.noData : words.runs.step.notYet}
      </Text>
    );
  }
  const shown = side === 'inputs' ? 'input' : 'output';
  return (
    <Data>
      <div className={classes.data}>
        <ItemsView
          side={shown}
          label={words.panel[shown]}
          ports={Object.fromEntries(ports)}
          item="$json"
          usable={false}
          offset={offset}
          onOffset={setOffset}
        />
      </div>
    </Data>
  );
}

/** What views of data need around them; nothing here takes a field of it. */
function Data({ children }: { readonly children: ReactNode }) {
  const [item, setItem] = useState(0);
  const [lineage, setLineage] = useState<readonly OriginView[]>([]);
  const looking = useMemo(
    (): Looking => ({
      ...{ target: { current: null }, item, setItem, lineage, setLineage },
      say: (message) => notifications.show({ message }),
    }),
    [item, lineage],
  );
  return <LookingContext value={looking}>{children}</LookingContext>;
}
