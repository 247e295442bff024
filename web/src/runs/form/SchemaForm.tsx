import { Checkbox, JsonInput, NumberInput, PasswordInput, Select, Stack, Textarea, TextInput } from '@mantine/core';
import { fill, words } from '@/text/language';
import { type Draft, type FieldSchema, type FormSchema, kindOf, type Read } from './fields';

interface SchemaFormProps {
  readonly schema: FormSchema;
  readonly draft: Draft;
  readonly onChange: (draft: Draft) => void;
  readonly problems?: (Read & { readonly ok: false })['problems'];
  /** What the server says of a field. */
  readonly refused?: { readonly [name: string]: string };
  readonly autoFocus?: boolean;
}

/** A form of a flat JSON Schema. */
export function SchemaForm({ schema, draft, onChange, problems = {}, refused = {}, autoFocus }: SchemaFormProps) {
  return (
    <Stack gap="sm">
      {Object.entries(schema.properties ?? {}).map(([name, field], index) => (
        <Field
          key={name}
          name={name}
          schema={field}
          required={schema.required?.includes(name) ?? false}
          value={draft[name] ?? ''}
          problem={problemText(problems[name]) ?? refused[name]}
          focus={index === 0 && autoFocus === true}
          onChange={(value) => onChange({ ...draft, [name]: value })}
        />
      ))}
    </Stack>
  );
}

function problemText(problem: (Read & { ok: false })['problems'][string] | undefined): string | undefined {
  if (problem === undefined) return undefined;
  if (problem === 'required') return words.runs.form.required;
  if (problem === 'number') return words.runs.form.notNumber;
  return fill(words.runs.form.notJson, { message: problem.json });
}

interface FieldProps {
  readonly name: string;
  readonly schema: FieldSchema;
  readonly required: boolean;
  readonly value: string | boolean;
  readonly problem: string | undefined;
  readonly focus: boolean;
  readonly onChange: (value: string | boolean) => void;
}

function Field({ name, schema, required, value, problem, focus, onChange }: FieldProps) {
  const shared = {
    name,
    label: schema.title ?? name,
    description: schema.description,
    error: problem,
    ...(focus ? { 'data-autofocus': true } : {}),
  };
  const text = typeof value === 'string' ? value : '';
  const kind = kindOf(schema);
  switch (kind) {
    case 'flag':
      return (
        <Checkbox {...shared} checked={value === true} onChange={(event) => onChange(event.currentTarget.checked)} />
      );
    case 'choice':
      return (
        <Select
          {...shared}
          withAsterisk={required}
          data={(schema.enum ?? []).map((each, index) => ({
            value: String(index),
            label: typeof each === 'string' ? each : JSON.stringify(each),
          }))}
          value={text || null}
          onChange={(chosen) => onChange(chosen ?? '')}
          comboboxProps={{ withinPortal: true }}
        />
      );
    case 'number':
    case 'integer':
      return (
        <NumberInput
          {...shared}
          withAsterisk={required}
          allowDecimal={kind === 'number'}
          {...(schema.minimum === undefined ? {} : { min: schema.minimum })}
          {...(schema.maximum === undefined ? {} : { max: schema.maximum })}
          clampBehavior="none"
          value={text}
          onChange={(number) => onChange(String(number))}
        />
      );
    case 'secret':
      return (
        <PasswordInput
          {...shared}
          withAsterisk={required}
          autoComplete="off"
          value={text}
          onChange={(event) => onChange(event.currentTarget.value)}
        />
      );
    case 'long':
      return (
        <Textarea
          {...shared}
          withAsterisk={required}
          autosize
          minRows={3}
          maxRows={12}
          value={text}
          onChange={(event) => onChange(event.currentTarget.value)}
        />
      );
    case 'json':
      return (
        <JsonInput
          {...shared}
          withAsterisk={required}
          autosize
          minRows={3}
          maxRows={14}
          formatOnBlur
          placeholder={words.runs.form.json}
          value={text}
          onChange={onChange}
        />
      );
    default:
      return (
        <TextInput
          {...shared}
          withAsterisk={required}
          autoComplete="off"
          spellCheck={false}
          {...(schema.maxLength ? { maxLength: schema.maxLength } : {})}
          value={text}
          onChange={(event) => onChange(event.currentTarget.value)}
        />
      );
  }
}
