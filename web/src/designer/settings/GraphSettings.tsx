import { Autocomplete, Modal, Select, Tabs, Text, Textarea, TextInput, VisuallyHidden } from '@mantine/core';
import { useMemo, useRef, useState } from 'react';
import { useGraphs } from '@/api/graphs';
import { useLastRun } from '@/api/runData';
import { apply, type Editor, settle, useEditor } from '@/editor/store';
import type { Json, JsonObject } from '@/graph/model';
import { setGraphSetting, setGraphText } from '@/graph/settings';
import { fill, words } from '@/text/language';
import { type Panel, PanelContext, usePanel } from '../panel/context';
import type { Target } from '../panel/data/context';
import { useTyped } from '../panel/form/useParameter';
import { Problems, useProblems } from '../panel/Problems';
import panelClasses from '../panel/panel.module.css';
import { Choice, DurationSetting, NumberSetting, TextSetting } from '../panel/settings/inputs';
import { Channels } from './Channels';
import { Inputs } from './Inputs';
import { Outputs } from './Outputs';

const t = words.graphSettings;

/** What holds for the graph as a whole: its name, inputs, outputs, state channels and how its runs go. */
export default function GraphSettings({ editor, onClose }: { readonly editor: Editor; readonly onClose: () => void }) {
  const graph = useEditor(editor, (state) => state.id);
  const shown = useEditor(editor, (state) => state.run);
  const { data: last } = useLastRun(graph, shown === null);
  const [said, say] = useState('');
  const target = useRef<Target | null>(null);
  const run = shown ?? last ?? null;
  const panel = useMemo<Panel>(
    () => ({
      editor,
      node: '',
      use: '',
      resolve: (schema) => schema,
      target,
      sample: { run, step: null, item: 0 },
      setSample: () => undefined,
      say,
    }),
    [editor, run],
  );
  return (
    <PanelContext value={panel}>
      <Modal
        opened
        size="xl"
        title={t.title}
        onClose={() => {
          settle(editor);
          onClose();
        }}
      >
        <Tabs defaultValue="general" keepMounted={false} mih={420}>
          <Tabs.List mb="sm">
            <Tabs.Tab value="general" data-autofocus>
              {t.general}
            </Tabs.Tab>
            <Tabs.Tab value="inputs">{t.inputs}</Tabs.Tab>
            <Tabs.Tab value="outputs">{t.outputs}</Tabs.Tab>
            <Tabs.Tab value="state">{t.state}</Tabs.Tab>
            <Tabs.Tab value="runs">{t.runs}</Tabs.Tab>
          </Tabs.List>
          <Tabs.Panel value="general">
            <General />
          </Tabs.Panel>
          <Tabs.Panel value="inputs">
            <Inputs />
          </Tabs.Panel>
          <Tabs.Panel value="outputs">
            <Outputs />
          </Tabs.Panel>
          <Tabs.Panel value="state">
            <Channels />
          </Tabs.Panel>
          <Tabs.Panel value="runs">
            <Runs />
          </Tabs.Panel>
        </Tabs>
        <VisuallyHidden role="status">{said}</VisuallyHidden>
      </Modal>
    </PanelContext>
  );
}

function General() {
  const { editor } = usePanel();
  const graph = useEditor(editor, (state) => state.history.graph);
  const name = useTyped(graph.name ?? '', (text, merge) =>
    apply(editor, t.name, setGraphText('name', text), `graph/name#${merge}`),
  );
  const description = useTyped(graph.description ?? '', (text, merge) =>
    apply(editor, t.description, setGraphText('description', text), `graph/description#${merge}`),
  );
  return (
    <>
      <TextInput
        label={t.name}
        description={fill(t.id, { id: graph.id })}
        value={name.text}
        onChange={(event) => name.type(event.currentTarget.value)}
        onBlur={name.leave}
      />
      <Textarea
        mt="md"
        label={t.description}
        autosize
        minRows={4}
        maxRows={16}
        value={description.text}
        onChange={(event) => description.type(event.currentTarget.value)}
        onBlur={description.leave}
      />
    </>
  );
}

const ZONES: readonly string[] = ['UTC', ...Intl.supportedValuesOf('timeZone')];
const NOTHING: JsonObject = {};

function Runs() {
  const { editor } = usePanel();
  const settings = useEditor(editor, (state) => state.history.graph.settings ?? NOTHING);
  const problems = useProblems('settings', true);
  const { data: graphs = [] } = useGraphs();
  const set =
    (path: readonly [string] | readonly [string, string]) => (value: Json | undefined, merge: string | null) =>
      apply(editor, path.join('.'), setGraphSetting(path, value), merge && `settings/${path.join('/')}#${merge}`);
  const group = (key: string) => (settings[key] ?? {}) as JsonObject;
  const expression = {
    fits: () => true,
    read: (text: string) => (text.trim() === '' ? undefined : text),
    hint: t.concurrencyKeyHint,
  };
  const zone = useTyped(String(settings.timezone ?? ''), (text, merge) =>
    set(['timezone'])(text === '' ? undefined : text, merge),
  );
  return (
    <>
      <div className={panelClasses.grid}>
        <DurationSetting label={t.timeout} field="" value={settings.timeout} onChange={set(['timeout'])} />
        <Choice
          label={t.durability}
          field=""
          options={{ sync: t.sync, exit: t.exit }}
          standard="sync"
          value={settings.durability as string | undefined}
          onChange={(value) => set(['durability'])(value, null)}
        />
        <NumberSetting
          label={t.parallel}
          field=""
          value={settings.parallel}
          standard={64}
          most={10_000}
          onChange={set(['parallel'])}
        />
        <NumberSetting
          label={t.maxSteps}
          field=""
          value={settings.max_steps}
          standard={100_000}
          most={1_000_000_000}
          onChange={set(['max_steps'])}
        />
        <Autocomplete
          label={t.timezone}
          data={[...ZONES]}
          limit={50}
          placeholder="UTC"
          value={zone.text}
          onChange={zone.type}
          onBlur={zone.leave}
        />
        <NumberSetting
          label={t.priority}
          field=""
          value={settings.priority}
          standard={0}
          least={-1000}
          most={1000}
          onChange={set(['priority'])}
        />
        <TextSetting
          {...expression}
          label={t.concurrencyKey}
          field=""
          value={group('concurrency').key}
          standard="{{ $inputs.… }}"
          onChange={set(['concurrency', 'key'])}
        />
        {settings.concurrency !== undefined && (
          <NumberSetting
            label={t.concurrencyLimit}
            field=""
            value={group('concurrency').limit}
            standard={1}
            most={100_000}
            onChange={set(['concurrency', 'limit'])}
          />
        )}
        <TextSetting
          {...expression}
          label={t.fairnessKey}
          field=""
          value={group('fairness').key}
          standard="{{ $inputs.… }}"
          onChange={set(['fairness', 'key'])}
        />
        <NumberSetting
          label={t.fairnessWeight}
          field=""
          value={group('fairness').weight}
          standard={1}
          most={1000}
          onChange={set(['fairness', 'weight'])}
        />
        <Select
          label={t.onFailure}
          clearable
          searchable
          data={graphs.map((one) => ({ value: one.id, label: one.name }))}
          value={(settings.on_failure as string | undefined) ?? null}
          onChange={(value) => set(['on_failure'])(value ?? undefined, null)}
        />
      </div>
      <Text component="div" mt="sm">
        <Problems problems={problems} />
      </Text>
    </>
  );
}
