/** What a parameter is to a person, told from its JSON Schema and its name: which editor it gets. */

import type { Json, JsonObject } from '@/graph/model';
import type { Language } from '@/widgets/languages';

export type Kind =
  | 'text'
  | 'lines'
  | 'code'
  | 'number'
  | 'boolean'
  | 'enum'
  | 'choices'
  | 'condition'
  | 'duration'
  | 'size'
  | 'cron'
  | 'datetime'
  | 'path'
  | 'timezone'
  | 'credential'
  | 'graph'
  | 'secret'
  | 'map'
  | 'strings'
  | 'object'
  | 'list'
  | 'json';

export type Schema = JsonObject;

/** A parameter as its editor needs to know it. */
export interface Field {
  readonly kind: Kind;
  /** The schema without its `null` alternative. */
  readonly schema: Schema;
  /** Null is a value of its own; it is what an empty field says. */
  readonly nullable: boolean;
  /** Whether `{{ }}` is an expression in it. */
  readonly expressions: boolean;
  readonly options: readonly Json[];
  readonly language: Language;
}

/** Looks a `$ref` up. */
export type Resolve = (schema: Schema) => Schema;

const DURATION = '(ms|s|m|h|d)';
const SIZE = '(\\w+)?';
const LANGUAGES: Readonly<Record<string, Language>> = {
  'code.javascript': 'javascript',
  'code.python': 'python',
  'code.shell': 'shell',
  'io.sql': 'sql',
  'data.template': 'liquid',
};
const LONG = new Set(['message', 'text', 'html', 'content', 'body', 'prompt', 'template', 'description', 'notes']);
/** Not by its name: a path may be one of an address or in an archive. */
const PATHS = new Set(['path', 'file-path', 'directory-path']);

/** What the parameter is. `use` is its node's type, `name` its own. */
export function fieldOf(given: Schema, name: string, use: string, resolve: Resolve): Field {
  const whole = resolve(given);
  const { schema, nullable } = withoutNull(whole, resolve);
  const expressions = whole.expressions !== false;
  const options = optionsOf(schema);
  const base = { schema, nullable, expressions, options, language: languageOf(use, name) };
  return { ...base, kind: kindOf(schema, name, use, expressions, resolve) };
}

function kindOf(schema: Schema, name: string, use: string, expressions: boolean, resolve: Resolve): Kind {
  if (schema.format === 'condition') return 'condition';
  if (optionsOf(schema).length > 0) return 'enum';
  const options = alternatives(schema, resolve);
  if (options.length > 0) return kindOfAny(options, name);
  switch (schema.type) {
    case 'boolean':
      return 'boolean';
    case 'integer':
    case 'number':
      return 'number';
    case 'string':
      return kindOfText(schema, name, use, expressions);
    case 'array':
      return kindOfList(schema, resolve);
    case 'object':
      return kindOfObject(schema);
    default:
      return 'json';
  }
}

function kindOfText(schema: Schema, name: string, use: string, expressions: boolean): Kind {
  const pattern = typeof schema.pattern === 'string' ? schema.pattern : '';
  if (pattern.includes(DURATION)) return 'duration';
  if (schema.format === 'date-time') return 'datetime';
  if (schema.format === 'password') return 'secret';
  if (isPath(schema)) return 'path';
  if (!expressions) return 'code';
  if (name === 'credential') return 'credential';
  if (name === 'graph') return 'graph';
  if (name === 'timezone' || name === 'from_timezone') return 'timezone';
  if (name === 'cron') return 'cron';
  return LONG.has(name) && use !== 'data.template' ? 'lines' : 'text';
}

function kindOfList(schema: Schema, resolve: Resolve): Kind {
  const items = isSchema(schema.items) ? resolve(schema.items) : {};
  if (optionsOf(items).length > 0) return 'choices';
  if (isSchema(items.properties)) return 'list';
  const of = alternatives(items, resolve);
  const types = of.length ? of.map((one) => one.type) : [items.type];
  // Some lists take a plain text for an object with nothing else to say.
  const objects = of.filter((one) => isSchema(one.properties)).length;
  if (objects === 1 && of.every((one) => isSchema(one.properties) || one.type === 'string')) return 'list';
  if (objects > 0) return 'json';
  return types.every((type) => type === 'string') ? 'strings' : 'json';
}

function isStrings(list: Schema): boolean {
  return isSchema(list.items) && list.items.type === 'string';
}

function kindOfObject(schema: Schema): Kind {
  if (isSchema(schema.properties) && Object.keys(schema.properties).length > 0) return 'object';
  return schema.additionalProperties === false ? 'json' : 'map';
}

/** The kind of a value that may have one of several shapes. */
function kindOfAny(options: readonly Schema[], name: string): Kind {
  const text = options.find((option) => option.type === 'string');
  const pattern = typeof text?.pattern === 'string' ? text.pattern : '';
  if (pattern.includes(DURATION)) return 'duration';
  if (pattern.includes(SIZE)) return 'size';
  if (name === 'cron') return 'cron';
  if (options.every((option) => option.type === 'string')) return 'text';
  const lists = options.filter((option) => option.type === 'array');
  if (text && lists.length === 1 && options.length === 2 && isStrings(lists[0] as Schema)) return 'strings';
  return 'json';
}

/** A schema without the alternative that it may be null. */
function withoutNull(schema: Schema, resolve: Resolve): { schema: Schema; nullable: boolean } {
  if (Array.isArray(schema.type) && schema.type.includes('null')) {
    const types = schema.type.filter((type) => type !== 'null');
    const type: Json = types.length === 1 ? (types[0] as Json) : types;
    return { schema: { ...schema, type }, nullable: true };
  }
  if (!Array.isArray(schema.anyOf)) return { schema, nullable: false };
  const all = (schema.anyOf as readonly Json[]).filter(isSchema).map(resolve);
  const left = all.filter((option) => option.type !== 'null');
  if (left.length === all.length) return { schema, nullable: false };
  const { anyOf: _, ...rest } = schema;
  const only = left.length === 1 ? left[0] : undefined;
  return { schema: only ? { ...only, ...rest } : { ...rest, anyOf: left }, nullable: true };
}

function alternatives(schema: Schema, resolve: Resolve): readonly Schema[] {
  const any = schema.anyOf ?? schema.oneOf;
  return Array.isArray(any) ? (any as readonly Json[]).filter(isSchema).map(resolve) : [];
}

/** The values of which one is chosen; none where it is no choice. */
export function optionsOf(schema: Schema): readonly Json[] {
  if (Array.isArray(schema.enum)) return schema.enum as readonly Json[];
  if ('const' in schema) return [schema.const as Json];
  if (Array.isArray(schema.anyOf)) {
    const all = (schema.anyOf as readonly Json[]).filter(isSchema);
    if (all.length > 0 && all.every((one) => Array.isArray(one.enum) || 'const' in one)) return all.flatMap(optionsOf);
  }
  return [];
}

function languageOf(use: string, name: string): Language {
  const type = use.replace(/@\d+$/, '');
  if (name === 'html') return 'html';
  if (name === 'schema') return 'json';
  return LANGUAGES[type] ?? 'text';
}

/** A look-up of `#/$defs/…` in the schema of all parameters. */
export function resolver(root: Schema): Resolve {
  const resolve: Resolve = (schema) => {
    const { $ref, ...rest } = schema;
    if (typeof $ref !== 'string' || !$ref.startsWith('#/')) return schema;
    let at: Json | undefined = root;
    for (const part of $ref.slice(2).split('/')) at = isSchema(at) ? at[part] : undefined;
    return isSchema(at) ? resolve({ ...at, ...rest }) : rest;
  };
  return resolve;
}

export function isSchema(value: Json | undefined): value is Schema {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}

const ACRONYMS = /\b(api|cpu|css|csv|html|http|https|ip|json|sql|ssl|tls|uri|url|utc|xml|yaml)\b/g;

/** What a name says to people where the schema has no title: `file_name` is "File name", `url` is "URL". */
export function humanName(name: string): string {
  const spaced = name
    .replaceAll('_', ' ')
    .replace(/([a-z])([A-Z])/g, '$1 $2')
    .toLowerCase()
    .replace(ACRONYMS, (word) => word.toUpperCase());
  return spaced.charAt(0).toUpperCase() + spaced.slice(1);
}

/** Whether a schema is one of a path. */
export function isPath(schema: Schema): boolean {
  return PATHS.has(String(schema.format));
}

/** A first value of that shape, for a new element of a list. */
export function emptyOf(schema: Schema, resolve: Resolve): Json {
  const at = resolve(schema);
  if ('default' in at) return at.default as Json;
  const options = optionsOf(at);
  if (options.length > 0) return options[0] as Json;
  if (at.type === 'object' && isSchema(at.properties)) {
    const required = Array.isArray(at.required) ? (at.required as readonly string[]) : [];
    return Object.fromEntries(
      required.map((name) => [name, emptyOf((at.properties as JsonObject)[name] as Schema, resolve)]),
    );
  }
  if (at.format === 'condition') return '{{  }}';
  return { string: '', integer: 0, number: 0, boolean: false, array: [], object: {} }[String(at.type)] ?? '';
}
