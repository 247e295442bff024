import { expect, it } from 'vitest';
import { daysShown } from './days';

const NOW = Date.parse('2026-03-04T10:30:00Z');
const day = (day: string) => ({ day, runs: 2, completed: 1, failed: 1 });

it('shows the days between on which nothing ran, up to today', () => {
  const shown = daysShown([day('2026-02-28'), day('2026-03-02')], NOW);
  expect(shown.map((each) => [each.day, each.runs])).toEqual([
    ['2026-02-28', 2],
    ['2026-03-01', 0],
    ['2026-03-02', 2],
    ['2026-03-03', 0],
    ['2026-03-04', 0],
  ]);
});

it('shows the last sixty of many, and none of none', () => {
  expect(daysShown([day('2020-01-01'), day('2026-03-04')], NOW)).toHaveLength(60);
  expect(daysShown([], NOW)).toEqual([]);
});
