import { Badge, Box, Button, Group, Loader, Select, Text } from '@mantine/core';
import { IconEdit, IconPin, IconPinnedOff } from '@tabler/icons-react';
import { useState } from 'react';
import { readStep } from '@/api/runData';
import { apply, useEditor } from '@/editor/store';
import { type JsonObject, labelOf } from '@/graph/model';
import { pinsOf, setPin } from '@/graph/parameters';
import { nodeOf } from '@/graph/read';
import type { StepLive } from '@/runs/live';
import { RunErrorView } from '@/runs/RunErrorView';
import { versionOf } from '@/runs/steps';
import { WaitingStep } from '@/runs/waiting/WaitingStep';
import { words } from '@/text/language';
import { showError } from '@/widgets/showError';
import { usePanel } from '../context';
import { itemOf } from '../expression/templates';
import { RunToHere } from '../run/RunButtons';
import { StepTalk } from '../run/StepTalk';
import { stepLabel, useSteps } from '../steps';
import { PinnedItems, StepItems } from './InputPane';
import { Empty, PaneFrame } from './PaneFrame';
import { type Draft, PinDialog } from './PinDialog';
import { MOST_PINNED, pinStep } from './pinning';

/** What the node gave: in the run that is shown, or as it is pinned. */
export function OutputPane({ onCollapse }: { readonly onCollapse: () => void }) {
  const { editor, node, sample, setSample, say } = usePanel();
  const graph = useEditor(editor, (state) => state.history.graph);
  const first = useEditor(editor, (state) => state.checked?.facts[node]?.ports_out[0] ?? 'out');
  const outs = useEditor(editor, (state) => state.checked?.facts[node]?.ports_out);
  const pins = pinsOf(graph, node, first);
  const pinned = Object.keys(pins).length > 0;
  const steps = useSteps(sample.run, node);
  const step = steps.find((one) => one.step === sample.step) ?? null;
  const [draft, setDraft] = useState<Draft | null>(null);
  const [port, setPort] = useState<string | null>(null);
  const at = port ?? Object.keys(pins)[0] ?? Object.keys(step?.items_out ?? {})[0] ?? first;

  const edit = async () => {
    if (pinned || !step || !sample.run) {
      setDraft({ port: at, items: pins[at] ?? [{}], all: pins[at]?.length ?? 1 });
      return;
    }
    const data = await readStep(sample.run, step.step, 0, MOST_PINNED);
    const found = data.outputs[at];
    const items = (found?.items ?? []).map((item) => item.json as JsonObject);
    const files = Boolean(found?.items.some((item) => Object.keys(item.binary).length > 0));
    setDraft({ port: at, items, all: found?.count ?? 0, files });
  };
  const pin = async () => {
    if (!step || !sample.run) return edit();
    await pinStep(editor, node, sample.run, step.step);
    say(words.panel.pinned);
  };
  const failed = (error: unknown) => showError(error, words.panel.notPinned);
  const unpin = () => {
    for (const name of Object.keys(pins)) {
      apply(editor, words.panel.unpin, setPin(node, name, first, undefined), `unpin/${node}`);
    }
    say(words.panel.unpin);
  };
  return (
    <PaneFrame
      title={words.panel.output}
      side="right"
      onCollapse={onCollapse}
      head={
        <Group gap={4} wrap="nowrap" justify="flex-end">
          {pinned && (
            <Badge size="sm" color="violet" variant="light" tt="none" leftSection={<IconPin size={11} />}>
              {words.panel.pinned}
            </Badge>
          )}
          <Button
            size="compact-xs"
            variant="subtle"
            leftSection={<IconEdit size={13} />}
            onClick={() => void edit().catch(failed)}
          >
            {pinned ? words.panel.editPin : words.panel.editOutput}
          </Button>
          {pinned ? (
            <Button size="compact-xs" variant="subtle" leftSection={<IconPinnedOff size={13} />} onClick={unpin}>
              {words.panel.unpin}
            </Button>
          ) : (
            step && (
              <Button
                size="compact-xs"
                variant="subtle"
                leftSection={<IconPin size={13} />}
                onClick={() => void pin().catch(failed)}
              >
                {words.panel.pin}
              </Button>
            )
          )}
        </Group>
      }
    >
      {pinned ? (
        <>
          <Text size="xs" c="dimmed" px="sm" pt={6}>
            {words.panel.pinnedHint}
          </Text>
          <div className="panel-grow">
            <PinnedItems pins={pins} item={itemOf(null)} side="output" onPort={setPort} />
          </div>
        </>
      ) : (
        <>
          {steps.length > 1 && (
            <Select
              size="xs"
              m={6}
              mb={0}
              aria-label={words.panel.runChoice}
              data={steps.map((one, index) => ({ value: one.step, label: stepLabel(one, index) }))}
              value={step?.step ?? null}
              allowDeselect={false}
              searchable={steps.length > 10}
              onChange={(chosen) => setSample({ step: chosen, item: 0 })}
            />
          )}
          {step ? (
            <StepOutput step={step} onPort={setPort} />
          ) : (
            <Empty title={words.panel.noOutputRun} hint={words.panel.noOutputHint}>
              <RunToHere node={node} />
              <Button
                size="xs"
                variant="default"
                leftSection={<IconPin size={14} />}
                onClick={() => void edit().catch(failed)}
              >
                {words.panel.pin}
              </Button>
            </Empty>
          )}
        </>
      )}
      {draft && (
        <PinDialog
          draft={draft}
          ports={outs ?? [first]}
          onClose={() => setDraft(null)}
          onPin={(name, items) => {
            apply(editor, words.panel.pin, setPin(node, name, first, items));
            say(words.panel.pinned);
            setDraft(null);
          }}
        />
      )}
    </PaneFrame>
  );
}

function StepOutput({ step, onPort }: { readonly step: StepLive; readonly onPort: (port: string) => void }) {
  const { editor, node, sample } = usePanel();
  const label = useEditor(editor, (state) => labelOf(nodeOf(state.history.graph, node) ?? { id: node, use: '' }));
  if (step.status === 'skipped') return <Empty title={words.panel.wasSkipped} />;
  const asks = step.wait !== null && (step.status === 'waiting' || step.status === 'unknown');
  const some = Object.values(step.items_out).some((count) => count > 0);
  return (
    <>
      {step.error && (
        <Box m={8} mb={0}>
          <RunErrorView error={step.error} handled={step.handled} title={words.panel.failed} />
        </Box>
      )}
      {asks && sample.run && (
        <Box m={8} mb={0}>
          <WaitingStep key={`${step.step} ${step.spans.length}`} run={sample.run} step={step} label={label} />
        </Box>
      )}
      {step.status === 'running' && (
        <Group gap="xs" p="sm" role="status">
          <Loader size="xs" />
          <Text size="sm">{step.message || words.panel.running}</Text>
        </Group>
      )}
      <div className="panel-grow">
        {(some || step.status === 'completed') && (
          <StepItems
            key={step.step}
            step={step.step}
            version={versionOf(step)}
            side="outputs"
            shown="output"
            item="$json"
            onPort={onPort}
          />
        )}
      </div>
      <StepTalk step={step} />
    </>
  );
}
