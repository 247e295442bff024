import { Button, Select, TagsInput, Text, TextInput } from '@mantine/core';
import { useState } from 'react';
import { apply } from '@/editor/store';
import type { Json, JsonObject } from '@/graph/model';
import { setGraphEntry } from '@/graph/settings';
import { fill, words } from '@/text/language';
import { CodeInput } from '@/widgets/CodeInput';
import { useLanguage } from '@/widgets/languages';
import { usePanel } from '../panel/context';
import { readJson } from '../panel/form/JsonControl';
import { useTyped } from '../panel/form/useParameter';
import panelClasses from '../panel/panel.module.css';
import { type Entry, EntryCard, NamedEntries } from './NamedEntries';

const t = words.graphSettings;
const TYPES = ['string', 'number', 'integer', 'boolean', 'array', 'object'] as const;
const PART = {
  part: 'inputs',
  title: t.inputs,
  hint: t.inputsHint,
  add: t.addInput,
  stem: 'input',
  nameLabel: t.inputName,
} as const;

/** The graph's inputs: a card each, as their JSON Schema says them. */
export function Inputs() {
  // One that is renamed keeps its place and the focus.
  return <NamedEntries of={PART} card={(entry) => <InputCard key={entry.index} entry={entry} />} />;
}

function InputCard({ entry }: { readonly entry: Entry }) {
  const { name, value: schema, put } = entry;
  const [raw, setRaw] = useState(false);
  const choices = Array.isArray(schema.enum) ? (schema.enum as readonly Json[]).map(String) : [];
  const plain = typeof schema.type === 'string' && TYPES.includes(schema.type as (typeof TYPES)[number]);
  return (
    <EntryCard
      entry={entry}
      head={
        <>
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
        </>
      }
    >
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
    </EntryCard>
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
