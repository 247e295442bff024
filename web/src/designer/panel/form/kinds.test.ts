import { describe, expect, test } from 'vitest';
import type { JsonObject } from '@/graph/model';
import { emptyOf, fieldOf, humanName, resolver } from './kinds';
import { moved } from './lists';

const duration = { type: 'string', pattern: '^(\\d+(\\.\\d+)?(ms|s|m|h|d))+$' };
const size = { anyOf: [{ type: 'string', pattern: '^\\s*(\\d*\\.?\\d+)\\s*(\\w+)?' }, { type: 'integer' }] };
const root: JsonObject = {
  $defs: {
    Rule: {
      type: 'object',
      properties: { when: { type: ['boolean', 'string'], format: 'condition' }, to: { type: 'string' } },
      required: ['when', 'to'],
    },
  },
};
const resolve = resolver(root);
const kind = (schema: JsonObject, name = 'x', use = 'a.b@1') => fieldOf(schema, name, use, resolve).kind;

describe('what a parameter is', () => {
  test.each([
    ['text', { type: 'string' }],
    ['number', { type: 'integer' }],
    ['boolean', { type: 'boolean' }],
    ['enum', { type: 'string', enum: ['a', 'b'] }],
    ['enum', { anyOf: [{ const: 'auto' }, { enum: ['csv', 'json'] }] }],
    ['condition', { type: ['boolean', 'string'], format: 'condition' }],
    ['duration', duration],
    ['duration', { anyOf: [duration, { type: 'null' }], default: null }],
    ['duration', { anyOf: [duration, { type: 'number' }] }],
    ['size', size],
    ['size', { anyOf: [...size.anyOf, { type: 'null' }] }],
    ['code', { type: 'string', expressions: false }],
    ['map', { type: 'object', additionalProperties: { type: 'string' } }],
    ['map', { type: 'object', additionalProperties: true }],
    ['object', { type: 'object', properties: { a: { type: 'string' } } }],
    ['object', { anyOf: [{ $ref: '#/$defs/Rule' }, { type: 'null' }] }],
    ['list', { type: 'array', items: { $ref: '#/$defs/Rule' } }],
    ['list', { type: 'array', items: { anyOf: [{ $ref: '#/$defs/Rule' }, { type: 'string' }] } }],
    ['strings', { type: 'array', items: { type: 'string' } }],
    ['strings', { anyOf: [{ type: 'string' }, { type: 'array', items: { type: 'string' } }] }],
    ['choices', { type: 'array', items: { enum: ['a'] } }],
    ['json', { default: null }],
    ['json', { anyOf: [{ type: 'array' }, { type: 'object' }] }],
    ['datetime', { anyOf: [{ type: 'string', format: 'date-time' }, { type: 'null' }] }],
  ])('%s for %j', (expected, schema) => {
    expect(kind(schema as unknown as JsonObject)).toBe(expected);
  });

  test('some are told by their names', () => {
    expect(kind({ type: 'string' }, 'credential')).toBe('credential');
    expect(kind({ anyOf: [{ type: 'string' }, { type: 'null' }] }, 'graph')).toBe('graph');
    expect(kind({ type: 'string' }, 'message')).toBe('lines');
    expect(kind({ anyOf: [{ type: 'string' }, { type: 'array', items: { type: 'string' } }] }, 'cron')).toBe('cron');
    expect(kind({ type: 'string', format: 'path' }, 'file')).toBe('path');
    expect(kind({ type: 'string', format: 'directory-path' }, 'folder')).toBe('path');
    expect(kind({ type: 'string' }, 'path', 'flow.webhook@1')).toBe('text');
  });

  test('null is told apart, and options of code are in its language', () => {
    expect(fieldOf({ anyOf: [{ type: 'string' }, { type: 'null' }] }, 'x', 'a.b@1', resolve).nullable).toBe(true);
    expect(fieldOf({ type: 'string', expressions: false }, 'code', 'code.python@1', resolve)).toMatchObject({
      language: 'python',
      expressions: false,
    });
  });

  test('a new element has what is required', () => {
    expect(emptyOf({ $ref: '#/$defs/Rule' }, resolve)).toEqual({ when: '{{  }}', to: '' });
  });

  test('names without a title are made readable', () => {
    expect(humanName('file_name')).toBe('File name');
    expect(humanName('maxPages')).toBe('Max pages');
    expect(humanName('url')).toBe('URL');
    expect(humanName('base_url')).toBe('Base URL');
  });
});

test('an element of a list is moved, within the list', () => {
  expect(moved(['a', 'b', 'c'], 0, 2)).toEqual(['b', 'c', 'a']);
  expect(moved(['a', 'b', 'c'], 2, 0)).toEqual(['c', 'a', 'b']);
  expect(moved(['a'], 0, 1)).toEqual(['a']);
});
