import { Loader, Select } from '@mantine/core';
import { useState } from 'react';
import { type ItemView, useStep } from '@/api/runData';
import { useEditor } from '@/editor/store';
import { labelOf } from '@/graph/model';
import { type Items, pinsOf } from '@/graph/parameters';
import { nodeOf } from '@/graph/read';
import { versionOf } from '@/runs/steps';
import { words } from '@/text/language';
import { ErrorMessage } from '@/widgets/ErrorMessage';
import { usePanel } from '../context';
import { ItemsView, type PortItems } from '../data/ItemsView';
import { itemOf } from '../expression/templates';
import { ancestors, edgesInto } from '../neighbours';
import { RunToHere } from '../run/RunButtons';
import { lastStep, useSteps } from '../steps';
import { Empty, PaneFrame } from './PaneFrame';

const SELF = '';

/** What the node is given, or what any node before it gave. */
export function InputPane({ onCollapse }: { readonly onCollapse: () => void }) {
  const { editor, node, sample } = usePanel();
  const graph = useEditor(editor, (state) => state.history.graph);
  const [source, setSource] = useState(SELF);
  const before = ancestors(graph, node);
  const known = before.some((one) => one.id === source) ? source : SELF;
  const own = useSteps(sample.run, node).find((step) => step.step === sample.step);
  return (
    <PaneFrame
      title={words.panel.input}
      side="left"
      onCollapse={onCollapse}
      head={
        before.length > 0 && (
          <Select
            size="xs"
            aria-label={words.panel.from}
            data={[
              { value: SELF, label: words.panel.itself },
              ...before.map((one) => ({ value: one.id, label: labelOf(one) })),
            ]}
            value={known}
            searchable={before.length > 8}
            allowDeselect={false}
            onChange={(id) => setSource(id ?? SELF)}
          />
        )
      }
    >
      {known === SELF && own && own.status !== 'skipped' ? (
        <StepItems key={own.step} step={own.step} version={versionOf(own)} side="inputs" item="$json" />
      ) : known === SELF ? (
        <Coming key={node} />
      ) : (
        <Given key={known} node={known} code={itemOf(labelOf(nodeOf(graph, known) ?? { id: known, use: '' }))} />
      )}
    </PaneFrame>
  );
}

/** What would come in: what the nodes directly before it gave, or have pinned. */
function Coming() {
  const { editor, node } = usePanel();
  const graph = useEditor(editor, (state) => state.history.graph);
  const edges = edgesInto(graph, node);
  const first = edges[0];
  if (!first) return <Empty title={words.panel.noInputEdge} hint={words.panel.noInputEdgeHint} />;
  return <Given node={first.source} port={first.sourcePort} code="$json" />;
}

/** What a node before this one gave in the run, or has pinned. */
function Given(props: { readonly node: string; readonly port?: string | null; readonly code: string }) {
  const { editor, sample } = usePanel();
  const graph = useEditor(editor, (state) => state.history.graph);
  const first = useEditor(editor, (state) => state.checked?.facts[props.node]?.ports_out[0] ?? 'out');
  const step = lastStep(useSteps(sample.run, props.node));
  const pins = pinsOf(graph, props.node, first);
  if (step && step.status !== 'skipped') {
    const only = props.port ? { port: props.port } : {};
    return <StepItems step={step.step} version={versionOf(step)} side="outputs" item={props.code} {...only} />;
  }
  if (Object.keys(pins).length > 0) return <PinnedItems pins={pins} item={props.code} side="input" />;
  return (
    <Empty title={words.panel.noInputRun} hint={words.panel.noInputHint}>
      <RunToHere node={props.node} />
    </Empty>
  );
}

/** A page of a step's items. */
export function StepItems(props: {
  readonly step: string;
  readonly version: string;
  readonly side: 'inputs' | 'outputs';
  readonly item: string;
  readonly port?: string;
  readonly shown?: 'input' | 'output';
  readonly onPort?: (port: string) => void;
}) {
  const { sample } = usePanel();
  const [offset, setOffset] = useState(0);
  const { data, error, isPending } = useStep(sample.run, props.step, offset, props.version);
  if (error) return <ErrorMessage title={words.panel.noItems} error={error} />;
  if (isPending || !data) return <Loader size="sm" m="md" aria-label={words.shell.loading} />;
  const all = data[props.side];
  const ports = props.port && all[props.port] ? { [props.port]: all[props.port] as PortItems } : all;
  if (Object.keys(ports).length === 0) return <Empty title={words.panel.noItems} />;
  const shown = props.shown ?? 'input';
  return (
    <ItemsView
      side={shown}
      label={shown === 'input' ? words.panel.input : words.panel.output}
      ports={ports as Record<string, PortItems>}
      item={props.item}
      usable={shown === 'input'}
      offset={offset}
      onOffset={setOffset}
      {...(props.onPort ? { onPort: props.onPort } : {})}
    />
  );
}

/** Items that are pinned in the graph. */
export function PinnedItems(props: {
  readonly pins: Readonly<Record<string, Items>>;
  readonly item: string;
  readonly side: 'input' | 'output';
  readonly onPort?: (port: string) => void;
}) {
  const ports = Object.fromEntries(
    Object.entries(props.pins).map(([port, items]) => [
      port,
      {
        count: items.length,
        items: items.map((json, index) => ({ index, json, binary: {}, came_from: [] }) as unknown as ItemView),
      },
    ]),
  );
  return (
    <ItemsView
      side={props.side}
      label={props.side === 'input' ? words.panel.input : words.panel.output}
      ports={ports}
      item={props.item}
      usable={props.side === 'input'}
      offset={0}
      onOffset={() => undefined}
      {...(props.onPort ? { onPort: props.onPort } : {})}
    />
  );
}
