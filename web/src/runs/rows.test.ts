import { expect, it } from 'vitest';
import { folded, type RunEvent, unheard } from './fold';
import recorded from './recorded.json';
import { rowsOf, stepToShow } from './rows';

const events = (recorded[0]?.events ?? []) as unknown as RunEvent[];
const { steps } = folded(unheard('r'), events);

it('puts the steps of a body below the map, and those of a called graph below the call', () => {
  const rows = rowsOf(steps, new Map());
  expect(rows).toHaveLength(steps.size);
  const depth = new Map(rows.map((row) => [row.step.step, row.depth]));
  expect(depth.get('each')).toBe(0);
  expect(depth.get('each[1]/odd')).toBe(1);
  expect(depth.get('call()/greet')).toBe(1);
});

it('folds what somebody has folded', () => {
  const rows = rowsOf(steps, new Map([['each', false]]));
  expect(rows.some((row) => row.step.owner === 'each')).toBe(false);
  expect(rows.find((row) => row.step.step === 'each')).toMatchObject({ children: 6, open: false });
});

it('shows steps that fit a filter without their tree', () => {
  const rows = rowsOf(steps, new Map(), (step) => step.status === 'failed');
  expect(rows.map((row) => row.step.step)).toEqual(['shaky']);
});

it('shows first what waits, then what failed, then what came last', () => {
  const waits = events.findIndex((event) => event.kind === 'step.waiting');
  expect(stepToShow(folded(unheard('r'), events.slice(0, waits + 1)).steps)).toBe('ask');
  expect(stepToShow(steps)).toBe('keep');
  expect(stepToShow(new Map())).toBeNull();
});

it('shows the map while its elements come and go', () => {
  const inside = events.findLastIndex((event) => event.kind === 'step.started' && event.step.startsWith('each['));
  expect(stepToShow(folded(unheard('r'), events.slice(0, inside + 1)).steps)).toBe('each');
});
