/** Reads the JSON Schemas of node types, as far as people are told of them. */

import type { JsonObject } from './model';

/** A parameter in a table. */
export interface Parameter {
  readonly name: string;
  readonly type: string;
  readonly description: string;
  readonly required: boolean;
  readonly default: unknown;
}

/** The parameters of a node type's schema, in its order. */
export function parametersOf(schema: { readonly [key: string]: unknown }): readonly Parameter[] {
  const properties = (schema.properties ?? {}) as { readonly [name: string]: JsonObject };
  const required = new Set((schema.required ?? []) as readonly string[]);
  return Object.entries(properties).map(([name, property]) => ({
    name,
    type: typeText(property, schema),
    description: String(property.description ?? property.title ?? ''),
    required: required.has(name),
    default: property.default,
  }));
}

/** The type that a schema allows, in words: `text or number`, `list of objects`, `one of GET, POST`. */
function typeText(schema: JsonObject, root: { readonly [key: string]: unknown } = {}): string {
  const target = typeof schema.$ref === 'string' ? referred(schema.$ref, root) : undefined;
  if (target) return typeText(target, root);
  if (Array.isArray(schema.enum)) return `one of ${schema.enum.map(String).join(', ')}`;
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  const options = (schema.anyOf ?? schema.oneOf) as readonly JsonObject[] | undefined;
  if (options) return [...new Set(options.map((option) => typeText(option, root)))].join(' or ');
  const types = (Array.isArray(schema.type) ? schema.type : [schema.type]) as readonly string[];
  return types
    .map((type) => {
      if (type === 'array') {
        const items = schema.items as JsonObject | undefined;
        return items ? `list of ${typeText(items, root)}` : 'list';
      }
      return NAMES[type] ?? 'anything';
    })
    .join(' or ');
}

const NAMES: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'number',
  integer: 'whole number',
  boolean: 'yes or no',
  object: 'object',
  null: 'nothing',
};

function referred(reference: string, root: { readonly [key: string]: unknown }): JsonObject | undefined {
  return reference
    .replace(/^#\//, '')
    .split('/')
    .reduce<unknown>((at, key) => (at as Record<string, unknown> | undefined)?.[key], root) as JsonObject | undefined;
}
