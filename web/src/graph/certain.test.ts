import { expect, test } from 'vitest';
import { surelyGives } from './certain';
import type { NodeSpec } from './model';

const gives = (use: string, more: Partial<NodeSpec> = {}) => surelyGives({ id: 'a', use: `${use}@1`, ...more });

test('a node is sure to give where its type is, and nothing said of it takes that back', () => {
  expect(gives('data.set')).toBe(true);
  expect(gives('flow.filter')).toBe(false);
  expect(gives('flow.filter', { always_output: true })).toBe(true);
  expect(gives('data.set', { disabled: true })).toBe(false);
  expect(gives('data.set', { on_error: 'route' })).toBe(false);
});

test('a wait for a signal that may not come in time is not sure to give', () => {
  expect(gives('flow.wait', { with: { for: '1m' } })).toBe(true);
  expect(gives('flow.wait', { with: { signal: 'paid' } })).toBe(true);
  expect(gives('flow.wait', { with: { signal: 'paid', timeout: '1d' } })).toBe(false);
});
