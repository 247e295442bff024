import { ActionIcon, Button, Group, Select, Text, TextInput } from '@mantine/core';
import { IconPlus, IconTrash } from '@tabler/icons-react';
import { useState } from 'react';
import { apply, settle, useEditor } from '@/editor/store';
import { withEntry } from '@/graph/change';
import type { Json, JsonObject } from '@/graph/model';
import { renameGraphEntry, setGraphEntry } from '@/graph/settings';
import { fill, words } from '@/text/language';
import { usePanel } from '../panel/context';
import formClasses from '../panel/form/form.module.css';
import { readJson } from '../panel/form/JsonControl';
import { NameField } from '../panel/form/NameField';
import { useTyped } from '../panel/form/useParameter';
import { Problems, useProblems } from '../panel/Problems';
import panelClasses from '../panel/panel.module.css';

const t = words.graphSettings;
const TYPES = ['string', 'number', 'integer', 'boolean', 'array', 'object'];
const NONE: Readonly<Record<string, JsonObject>> = {};

/** The graph's state channels. */
export function Channels() {
  const { editor } = usePanel();
  const state = useEditor(editor, (found) => found.history.graph.state ?? NONE);
  const names = Object.keys(state);
  const free = () => {
    for (let count = names.length + 1; ; count++) if (!(`channel${count}` in state)) return `channel${count}`;
  };
  return (
    <>
      <Text size="sm" c="dimmed">
        {t.stateHint}
      </Text>
      {names.map((name, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a channel that is renamed keeps its place and the focus.
        <Channel key={index} name={name} index={index} channel={state[name] as JsonObject} taken={(n) => n in state} />
      ))}
      <Button
        mt="sm"
        size="compact-sm"
        variant="light"
        leftSection={<IconPlus size={14} />}
        onClick={() => {
          settle(editor);
          apply(editor, t.addChannel, setGraphEntry('state', free(), { type: 'string' }));
        }}
      >
        {t.addChannel}
      </Button>
    </>
  );
}

function Channel(props: {
  readonly name: string;
  readonly index: number;
  readonly channel: JsonObject;
  readonly taken: (name: string) => boolean;
}) {
  const { editor } = usePanel();
  const { name, index, channel } = props;
  const problems = useProblems(`state/${name}`, true);
  const [wrong, setWrong] = useState(false);
  const put = (key: string, value: Json | undefined, merge: string | null = null) =>
    apply(
      editor,
      `${t.state}: ${name}`,
      setGraphEntry('state', name, withEntry(channel, key, value) ?? {}),
      merge && `state/${index}/${key}#${merge}`,
    );
  const begin = useTyped(channel.default === undefined ? '' : JSON.stringify(channel.default), (text, merge) => {
    const { value, error } = readJson(text);
    setWrong(error !== '');
    if (!error) put('default', value, merge);
  });
  const help = useTyped(String(channel.description ?? ''), (text, merge) =>
    put('description', text === '' ? undefined : text, merge),
  );
  return (
    <fieldset className={formClasses.card} aria-label={name}>
      <Group wrap="nowrap" gap="xs" mb={6}>
        <NameField
          name={name}
          label={fill(t.channelName, { number: index + 1 })}
          taken={props.taken}
          onRename={(fresh) => apply(editor, t.state, renameGraphEntry('state', name, fresh))}
        />
        <Select
          aria-label={`${t.type}: ${name}`}
          data={TYPES}
          value={String(channel.type)}
          allowDeselect={false}
          onChange={(type) => put('type', type)}
        />
        <Select
          flex={1}
          aria-label={`${t.reduce}: ${name}`}
          data={Object.entries(t.reducers).map(([value, label]) => ({ value, label: `${t.reduce} ${label}` }))}
          value={String(channel.reduce ?? 'replace')}
          allowDeselect={false}
          onChange={(reduce) => put('reduce', reduce === 'replace' ? undefined : reduce)}
        />
        <ActionIcon
          variant="subtle"
          color="gray"
          aria-label={fill(words.panel.remove, { name })}
          onClick={() => apply(editor, t.state, setGraphEntry('state', name, undefined))}
        >
          <IconTrash size={16} />
        </ActionIcon>
      </Group>
      <div className={panelClasses.grid}>
        <TextInput
          label={`${t.default} (JSON)`}
          value={begin.text}
          error={wrong}
          onChange={(event) => begin.type(event.currentTarget.value)}
          onBlur={begin.leave}
        />
        <TextInput
          label={t.description}
          value={help.text}
          onChange={(event) => help.type(event.currentTarget.value)}
          onBlur={help.leave}
        />
      </div>
      <Problems problems={problems} />
    </fieldset>
  );
}
