import { Loader, Text } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { type ReactNode, useMemo, useState } from 'react';
import { ApiError } from '@/api/client';
import { type OriginView, useStep } from '@/api/runData';
import { type Panel, PanelContext, type Sample } from '@/designer/panel/context';
import { ItemsView, type PortItems } from '@/designer/panel/data/ItemsView';
import { createEditor } from '@/editor/store';
import { NO_GRAPH } from '@/graph/model';
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
    <Data run={run}>
      <div className={classes.data}>
        <ItemsView
          side={shown}
          label={words.panel[shown]}
          ports={Object.fromEntries(ports) as unknown as Record<string, PortItems>}
          item="$json"
          usable={false}
          offset={offset}
          onOffset={setOffset}
        />
      </div>
    </Data>
  );
}

/** What the node panel's views of data need around them, where no node is open. */
function Data({ run, children }: { readonly run: string; readonly children: ReactNode }) {
  const [sample, setSample] = useState<Sample>({ run, step: null, item: 0 });
  const [lineage, setLineage] = useState<readonly OriginView[]>([]);
  const [editor] = useState(() => createEditor('', { text: '', textHash: '', graph: NO_GRAPH }));
  const panel = useMemo(
    (): Panel => ({
      editor,
      node: '',
      use: '',
      resolve: (schema) => schema,
      target: { current: null },
      sample,
      setSample: (change) => setSample((before) => ({ ...before, ...change })),
      lineage,
      setLineage,
      say: (message) => notifications.show({ message }),
    }),
    [editor, sample, lineage],
  );
  return <PanelContext value={panel}>{children}</PanelContext>;
}
