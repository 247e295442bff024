import { Group, SegmentedControl, Select, Switch, Text, Textarea, TextInput } from '@mantine/core';
import type { Json } from '@/graph/model';
import { fill, words } from '@/text/language';
import { CodeInput } from '@/widgets/CodeInput';
import { useLanguage } from '@/widgets/languages';
import { brief } from '../data/shape';
import { CronControl, DurationControl, SizeControl, TimeZoneControl } from './clocks';
import { emptied, hintOf } from './hint';
import { JsonControl } from './JsonControl';
import { ChoicesControl, ListControl, ObjectControl, StringsControl } from './lists';
import { MapControl } from './MapControl';
import type { FieldView } from './ParameterField';
import { PathControl } from './PathControl';
import { CredentialControl, GraphControl } from './references';
import { useTyped } from './useParameter';

/** The editor of a parameter's fixed value. */
export function Control(view: FieldView) {
  switch (view.field.kind) {
    case 'boolean':
    case 'condition':
      return <BooleanControl {...view} />;
    case 'enum':
      return <EnumControl {...view} />;
    case 'choices':
      return <ChoicesControl {...view} />;
    case 'number':
      return <NumberControl {...view} />;
    case 'code':
      return typeof view.value === 'string' || view.value === undefined ? (
        <CodeControl {...view} />
      ) : (
        <JsonControl {...view} />
      );
    case 'duration':
      return <DurationControl {...view} />;
    case 'size':
      return <SizeControl {...view} />;
    case 'cron':
      return Array.isArray(view.value) ? <StringsControl {...view} /> : <CronControl {...view} />;
    case 'timezone':
      return <TimeZoneControl {...view} />;
    case 'credential':
      return <CredentialControl {...view} />;
    case 'graph':
      return <GraphControl {...view} />;
    case 'path':
      return typeof view.value === 'string' || view.value === undefined || view.value === null ? (
        <PathControl {...view} />
      ) : (
        <JsonControl {...view} />
      );
    case 'map':
      return isObject(view.value) || view.value === undefined || view.value === null ? (
        <MapControl {...view} />
      ) : (
        <JsonControl {...view} />
      );
    case 'strings':
      return <StringsControl {...view} />;
    case 'object':
      return <ObjectControl {...view} />;
    case 'list':
      return <ListControl {...view} />;
    case 'json':
      return <JsonControl {...view} />;
    default:
      // A value of another type than the schema wants is shown as it is.
      return typeof view.value === 'string' || view.value === undefined || view.value === null ? (
        <TextControl {...view} />
      ) : (
        <JsonControl {...view} />
      );
  }
}

function isObject(value: Json | undefined): boolean {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}

function TextControl(view: FieldView) {
  const { value, write, field, required } = view;
  const typed = useTyped(typeof value === 'string' ? value : '', (text, merge) =>
    write(text === '' && !required && view.standard !== undefined ? emptied(view) : text, merge),
  );
  const shared = {
    'aria-labelledby': view.labelId,
    'aria-describedby': view.describedBy,
    value: typed.text,
    placeholder: hintOf(view),
    error: view.invalid,
    onBlur: typed.leave,
  };
  if (field.kind === 'lines' || typed.text.includes('\n')) {
    return (
      <Textarea {...shared} autosize minRows={2} maxRows={14} onChange={(e) => typed.type(e.currentTarget.value)} />
    );
  }
  return (
    <TextInput
      {...shared}
      type={field.kind === 'secret' ? 'password' : 'text'}
      description={field.kind === 'secret' ? words.panel.secretHint : undefined}
      onChange={(event) => typed.type(event.currentTarget.value)}
    />
  );
}

function NumberControl(view: FieldView) {
  const { value, write, field } = view;
  const shown = typeof value === 'number' || typeof value === 'string' ? String(value) : '';
  const typed = useTyped(shown, (text, merge) => {
    const number = Number(text);
    write(text.trim() === '' ? undefined : Number.isFinite(number) ? number : text, merge);
  });
  const bad = typed.text.trim() !== '' && !Number.isFinite(Number(typed.text));
  return (
    <TextInput
      inputMode={field.schema.type === 'integer' ? 'numeric' : 'decimal'}
      aria-labelledby={view.labelId}
      aria-describedby={view.describedBy}
      value={typed.text}
      placeholder={hintOf(view)}
      error={view.invalid || bad}
      onChange={(event) => typed.type(event.currentTarget.value)}
      onBlur={typed.leave}
      onKeyDown={(event) => {
        const step = event.key === 'ArrowUp' ? 1 : event.key === 'ArrowDown' ? -1 : 0;
        if (!step) return;
        event.preventDefault();
        const from = Number(typed.text || hintOf(view) || 0);
        if (Number.isFinite(from)) typed.type(String(from + step));
      }}
    />
  );
}

function BooleanControl(view: FieldView) {
  const on = view.value ?? view.standard ?? false;
  return (
    <Group gap="xs">
      <Switch
        aria-labelledby={view.labelId}
        aria-describedby={view.describedBy}
        checked={on === true || on === 'true'}
        onChange={(event) => view.write(event.currentTarget.checked)}
      />
      <Text size="sm" c="dimmed">
        {on === true || on === 'true' ? words.panel.yes : words.panel.no}
      </Text>
    </Group>
  );
}

function EnumControl(view: FieldView) {
  const { field, value, standard, write } = view;
  const texts = field.options.map(String);
  const chosen = value ?? standard ?? null;
  const known = chosen === null ? '' : String(chosen);
  const choose = (text: string | null) => {
    const index = texts.indexOf(text ?? '');
    write(index < 0 ? undefined : field.options[index]);
  };
  if (texts.length <= 4 && texts.join('').length <= 28 && (known === '' ? view.required : texts.includes(known))) {
    return <SegmentedControl size="xs" aria-labelledby={view.labelId} data={texts} value={known} onChange={choose} />;
  }
  return (
    <Select
      aria-labelledby={view.labelId}
      aria-describedby={view.describedBy}
      data={known && !texts.includes(known) ? [...texts, known] : texts}
      value={known || null}
      searchable={texts.length > 8}
      clearable={!view.required && (value !== undefined || field.nullable)}
      allowDeselect={false}
      placeholder={
        standard === undefined ? words.panel.notSet : fill(words.panel.defaultIs, { value: brief(standard) })
      }
      error={view.invalid}
      nothingFoundMessage={words.panel.noMatch}
      onChange={choose}
    />
  );
}

function CodeControl(view: FieldView) {
  const language = useLanguage(view.field.language);
  const typed = useTyped(typeof view.value === 'string' ? view.value : '', (text, merge) =>
    view.write(text === '' && !view.required ? undefined : text, merge),
  );
  return (
    <CodeInput
      value={typed.text}
      onChange={typed.type}
      onBlur={typed.leave}
      label={view.label}
      describedBy={view.describedBy}
      extensions={language}
      placeholder={hintOf(view)}
      invalid={view.invalid}
      lineNumbers
      minLines={view.field.language === 'text' ? 2 : 8}
    />
  );
}
