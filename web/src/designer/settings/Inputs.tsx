import { ActionIcon, Button, Group, Select, TagsInput, Text, TextInput } from '@mantine/core';
import { IconPlus, IconTrash } from '@tabler/icons-react';
import { useState } from 'react';
import { apply, settle, useEditor } from '@/editor/store';
import { withEntry } from '@/graph/change';
import type { Json, JsonObject } from '@/graph/model';
import { renameGraphEntry, setGraphEntry } from '@/graph/settings';
import { fill, words } from '@/text/language';
import { CodeInput } from '@/widgets/CodeInput';
import { useLanguage } from '@/widgets/languages';
import { usePanel } from '../panel/context';
import formClasses from '../panel/form/form.module.css';
import { readJson } from '../panel/form/JsonControl';
import { NameField } from '../panel/form/NameField';
import { useTyped } from '../panel/form/useParameter';
import { Problems, useProblems } from '../panel/Problems';
import panelClasses from '../panel/panel.module.css';

const t = words.graphSettings;
const TYPES = ['string', 'number', 'integer', 'boolean', 'array', 'object'] as const;
const NONE: Readonly<Record<string, JsonObject>> = {};

/** The graph's inputs: a card each, as their JSON Schema says them. */
export function Inputs() {
  const { editor } = usePanel();
  const inputs = useEditor(editor, (state) => state.history.graph.inputs ?? NONE);
  const names = Object.keys(inputs);
  const free = () => {
    for (let count = names.length + 1; ; count++) if (!(`input${count}` in inputs)) return `input${count}`;
  };
  return (
    <>
      <Text size="sm" c="dimmed">
        {t.inputsHint}
      </Text>
      {names.map((name, index) => (
        <InputCard
          // biome-ignore lint/suspicious/noArrayIndexKey: an input that is renamed keeps its place and the focus.
          key={index}
          name={name}
          index={index}
          schema={inputs[name] as JsonObject}
          taken={(n) => n in inputs}
        />
      ))}
      <Button
        mt="sm"
        size="compact-sm"
        variant="light"
        leftSection={<IconPlus size={14} />}
        onClick={() => {
          settle(editor);
          apply(editor, t.addInput, setGraphEntry('inputs', free(), { type: 'string' }));
        }}
      >
        {t.addInput}
      </Button>
    </>
  );
}

function InputCard(props: {
  readonly name: string;
  readonly index: number;
  readonly schema: JsonObject;
  readonly taken: (name: string) => boolean;
}) {
  const { editor } = usePanel();
  const { name, index, schema } = props;
  const problems = useProblems(`inputs/${name}`, true);
  const [raw, setRaw] = useState(false);
  const put = (key: string, value: Json | undefined, merge: string | null = null) =>
    apply(
      editor,
      `${t.inputs}: ${name}`,
      setGraphEntry('inputs', name, withEntry(schema, key, value) ?? {}),
      merge && `inputs/${index}/${key}#${merge}`,
    );
  const choices = Array.isArray(schema.enum) ? (schema.enum as readonly Json[]).map(String) : [];
  const plain = typeof schema.type === 'string' && TYPES.includes(schema.type as (typeof TYPES)[number]);
  return (
    <fieldset className={formClasses.card} aria-label={name}>
      <Group wrap="nowrap" gap="xs" mb={6}>
        <NameField
          name={name}
          label={fill(t.inputName, { number: index + 1 })}
          taken={props.taken}
          onRename={(fresh) => apply(editor, t.inputs, renameGraphEntry('inputs', name, fresh))}
        />
        <Select
          aria-label={`${t.type}: ${name}`}
          data={plain || schema.type === undefined ? [...TYPES] : [...TYPES, JSON.stringify(schema.type)]}
          value={plain ? (schema.type as string) : schema.type === undefined ? null : JSON.stringify(schema.type)}
          allowDeselect={false}
          onChange={(type) => TYPES.includes(type as never) && put('type', type)}
        />
        <Text size="xs" c="dimmed" flex={1}>
          {'default' in schema ? '' : t.required}
        </Text>
        <Button size="compact-xs" variant="subtle" color="gray" aria-pressed={raw} onClick={() => setRaw(!raw)}>
          {t.asJson}
        </Button>
        <ActionIcon
          variant="subtle"
          color="gray"
          aria-label={fill(words.panel.remove, { name })}
          onClick={() => apply(editor, t.inputs, setGraphEntry('inputs', name, undefined))}
        >
          <IconTrash size={16} />
        </ActionIcon>
      </Group>
      {raw ? (
        <SchemaText name={name} schema={schema} />
      ) : (
        <div className={panelClasses.grid}>
          <Line label={t.label} value={schema.title} onChange={(text, merge) => put('title', text, merge)} />
          <Line label={t.help} value={schema.description} onChange={(text, merge) => put('description', text, merge)} />
          {schema.type === 'string' && (
            <TagsInput
              label={t.choices}
              placeholder={choices.length ? '' : t.choicesHint}
              value={choices}
              onChange={(list) => put('enum', list.length ? list : undefined)}
            />
          )}
          <Default schema={schema} onChange={(value, merge) => put('default', value, merge)} />
          <Line
            label={t.consent}
            placeholder={t.consentHint}
            value={schema.consent}
            onChange={(text, merge) => put('consent', text, merge)}
          />
        </div>
      )}
      <Problems problems={problems} />
    </fieldset>
  );
}

function Line(props: {
  readonly label: string;
  readonly placeholder?: string;
  readonly value: Json | undefined;
  readonly onChange: (text: string | undefined, merge: string) => void;
}) {
  const typed = useTyped(props.value === undefined ? '' : String(props.value), (text, merge) =>
    props.onChange(text === '' ? undefined : text, merge),
  );
  return (
    <TextInput
      label={props.label}
      placeholder={props.placeholder}
      value={typed.text}
      onChange={(event) => typed.type(event.currentTarget.value)}
      onBlur={typed.leave}
    />
  );
}

/** The default: a text as it is, anything else as JSON. */
function Default(props: {
  readonly schema: JsonObject;
  readonly onChange: (value: Json | undefined, merge: string) => void;
}) {
  const { schema, onChange } = props;
  const text = schema.type === 'string';
  const shown = schema.default === undefined ? '' : text ? String(schema.default) : JSON.stringify(schema.default);
  const [wrong, setWrong] = useState(false);
  const typed = useTyped(shown, (fresh, merge) => {
    if (text) return onChange(fresh === '' ? undefined : fresh, merge);
    const { value, error } = readJson(fresh);
    setWrong(error !== '');
    if (!error) onChange(value, merge);
  });
  return (
    <TextInput
      label={t.default}
      placeholder={schema.default === '' ? '""' : t.defaultHint}
      value={typed.text}
      error={wrong}
      onChange={(event) => typed.type(event.currentTarget.value)}
      onBlur={typed.leave}
    />
  );
}

function SchemaText({ name, schema }: { readonly name: string; readonly schema: JsonObject }) {
  const { editor } = usePanel();
  const language = useLanguage('json');
  const [wrong, setWrong] = useState('');
  const typed = useTyped(JSON.stringify(schema, null, 2), (text, merge) => {
    const { value, error } = readJson(text);
    const bad = error || (value !== null && typeof value === 'object' && !Array.isArray(value) ? '' : '{ }');
    setWrong(bad);
    if (!bad) apply(editor, t.asJson, setGraphEntry('inputs', name, value), `inputs/${name}#${merge}`);
  });
  return (
    <>
      <CodeInput
        value={typed.text}
        label={t.asJson}
        extensions={language}
        invalid={wrong !== ''}
        onChange={typed.type}
        onBlur={() => wrong || typed.leave()}
      />
      {wrong && (
        <Text size="xs" c="var(--mantine-color-error)" role="status">
          {fill(words.panel.badJson, { message: wrong })}
        </Text>
      )}
    </>
  );
}
