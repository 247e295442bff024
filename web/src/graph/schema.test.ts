import { expect, test } from 'vitest';
import { parametersOf } from './schema';

test('parameters are told in words, references and alternatives included', () => {
  const schema = {
    type: 'object',
    required: ['url'],
    properties: {
      url: { type: 'string', description: 'Where' },
      method: { enum: ['GET', 'POST'], default: 'GET' },
      tries: { anyOf: [{ type: 'integer' }, { type: 'null' }] },
      rules: { type: 'array', items: { $ref: '#/$defs/Rule' } },
      any: {},
    },
    $defs: { Rule: { type: 'object' } },
  };
  expect(parametersOf(schema).map((one) => `${one.name}: ${one.type}${one.required ? '!' : ''}`)).toEqual([
    'url: text!',
    'method: one of GET, POST',
    'tries: whole number or nothing',
    'rules: list of object',
    'any: anything',
  ]);
});
