/** A flat JSON Schema as the fields of a form: what they begin with, and what they come to. */

export interface FieldSchema {
  readonly type?: string | readonly string[];
  readonly title?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly format?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly maxLength?: number;
  /** What its value makes the machine do: whoever changes it has to agree. */
  readonly consent?: string;
}

export interface FormSchema {
  readonly properties?: { readonly [name: string]: FieldSchema };
  readonly required?: readonly string[];
}

type FieldKind = 'flag' | 'choice' | 'number' | 'integer' | 'text' | 'long' | 'secret' | 'json';

/** What people have put in: texts as they stand in the fields, flags, and numbers of choices. */
export type Draft = { readonly [name: string]: string | boolean };

export type Read =
  | { readonly ok: true; readonly values: { readonly [name: string]: unknown } }
  | {
      readonly ok: false;
      readonly problems: { readonly [name: string]: 'required' | 'number' | { readonly json: string } };
    };

/** Which control a field has. */
export function kindOf(schema: FieldSchema): FieldKind {
  if (schema.enum) return 'choice';
  const types = typeof schema.type === 'string' ? [schema.type] : (schema.type ?? []);
  if (types.includes('boolean')) return 'flag';
  if (types.includes('string')) {
    if (schema.format === 'password') return 'secret';
    const long = schema.format === 'textarea' || (typeof schema.default === 'string' && schema.default.includes('\n'));
    return long ? 'long' : 'text';
  }
  if (types.includes('integer')) return 'integer';
  return types.includes('number') ? 'number' : 'json';
}

/** What a field shows for a value. */
function shownFor(schema: FieldSchema, value: unknown): string | boolean {
  const kind = kindOf(schema);
  if (kind === 'flag') return value === true;
  if (kind === 'choice') {
    const at = schema.enum?.findIndex((each) => JSON.stringify(each) === JSON.stringify(value)) ?? -1;
    return at < 0 ? '' : String(at);
  }
  if (value === undefined || value === null) return '';
  if (kind === 'json') return JSON.stringify(value, null, 2);
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** What the form begins with: the given values, else the defaults. */
export function draftOf(schema: FormSchema, values: { readonly [name: string]: unknown } = {}): Draft {
  return Object.fromEntries(
    Object.entries(schema.properties ?? {}).map(([name, field]) => [
      name,
      shownFor(field, name in values ? values[name] : field.default),
    ]),
  );
}

/** The values that a draft says; a field left empty is left out, but for a text that may be empty. */
export function readDraft(schema: FormSchema, draft: Draft): Read {
  const values: Record<string, unknown> = {};
  const problems: Record<string, 'required' | 'number' | { json: string }> = {};
  for (const [name, field] of Object.entries(schema.properties ?? {})) {
    const shown = draft[name] ?? '';
    const kind = kindOf(field);
    if (typeof shown === 'boolean') {
      values[name] = shown;
      continue;
    }
    const empty = shown.trim() === '';
    const text = kind === 'text' || kind === 'long' || kind === 'secret';
    if (empty && schema.required?.includes(name)) problems[name] = 'required';
    else if (empty && !(text && field.default !== undefined)) continue;
    else if (kind === 'choice') values[name] = field.enum?.[Number(shown)];
    else if (kind === 'number' || kind === 'integer') {
      const value = Number(shown);
      if (Number.isFinite(value)) values[name] = value;
      else problems[name] = 'number';
    } else if (kind === 'json') {
      try {
        values[name] = JSON.parse(shown);
      } catch (error) {
        problems[name] = { json: error instanceof Error ? error.message : String(error) };
      }
    } else values[name] = shown;
  }
  return Object.keys(problems).length ? { ok: false, problems } : { ok: true, values };
}

/** What has to be agreed to: texts of the fields whose value is not the one that the graph's author vouches for. */
export function consentsOf(schema: FormSchema, draft: Draft): readonly string[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, field]) =>
    field.consent && draft[name] !== shownFor(field, field.default) ? [field.consent] : [],
  );
}

/** Values without those that nobody should find in a browser later. */
export function rememberable(
  schema: FormSchema,
  values: { readonly [name: string]: unknown },
): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(values).filter(([name]) => {
      const field = schema.properties?.[name];
      return field !== undefined && kindOf(field) !== 'secret';
    }),
  );
}
