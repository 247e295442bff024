import { beforeEach, expect, it, vi } from 'vitest';
import type { FormSchema } from '../form/fields';
import { inputsWithoutAsking, lastInputs, rememberInputs } from './inputs';

const SCHEMA: FormSchema = {
  properties: {
    name: { type: 'string' },
    key: { type: 'string', format: 'password' },
    source: { type: 'string', default: 'ours', consent: 'it is run here.' },
  },
  required: ['name'],
};

beforeEach(() => {
  const kept = new Map<string, string>();
  vi.stubGlobal('localStorage', {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => kept.set(key, value),
  });
});

it('asks before the first run of a graph that takes inputs, and not again', () => {
  expect(inputsWithoutAsking('g', SCHEMA)).toBeNull();
  expect(inputsWithoutAsking('g', {})).toEqual({});
  rememberInputs('g', SCHEMA, { name: 'Ada', key: 'hush', source: 'ours' });
  expect(lastInputs('g', SCHEMA)).toEqual({ name: 'Ada', source: 'ours' });
  expect(inputsWithoutAsking('g', SCHEMA)).toEqual({ name: 'Ada', source: 'ours' });
});

it('asks each time where something has to be agreed to, or is missing', () => {
  rememberInputs('g', SCHEMA, { name: 'Ada', source: 'theirs' });
  expect(inputsWithoutAsking('g', SCHEMA)).toBeNull();
  rememberInputs('g', SCHEMA, { source: 'ours' });
  expect(inputsWithoutAsking('g', SCHEMA)).toBeNull();
});

it('begins anew where what is kept is garbage', () => {
  localStorage.setItem('pyagent.inputs.g', '{');
  expect(lastInputs('g', SCHEMA)).toBeNull();
});
