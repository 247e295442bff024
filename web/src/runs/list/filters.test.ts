import { expect, it } from 'vitest';
import { ALL, narrows, queryOf, sinceTime } from './filters';

const NOW = Date.parse('2026-03-04T10:30:40Z');

it('asks for nothing but what was chosen', () => {
  expect(queryOf(ALL, NOW)).toEqual({});
  expect(
    queryOf({ graph: 'g', statuses: ['failed', 'waiting'], text: ' abc ', since: 'day', production: false }, NOW),
  ).toEqual({
    graph: 'g',
    status: ['failed', 'waiting'],
    text: 'abc',
    since: '2026-03-03T10:30:00.000Z',
    production: false,
  });
});

it('asks the same within a minute', () => {
  expect(sinceTime('hour', NOW)).toBe(sinceTime('hour', NOW + 10_000));
  expect(sinceTime('always', NOW)).toBeNull();
});

it('knows whether something is left out', () => {
  expect(narrows(ALL)).toBe(false);
  expect(narrows({ ...ALL, text: 'x' })).toBe(true);
});
