import { describe, expect, test } from 'vitest';
import { begin, edited, redone, settled, undone } from './history';
import type { GraphSpec } from './model';

const graph: GraphSpec = { pyagent: 1, id: 'sample', nodes: [] };
const named = (name: string) => (old: GraphSpec) => ({ ...old, name });

describe('history', () => {
  test('an edit is taken back and made again', () => {
    const after = edited(begin(graph), named('One'), 'Rename');
    expect(undone(after).graph).toBe(graph);
    expect(redone(undone(after)).graph.name).toBe('One');
  });

  test('an edit that changes nothing is no step', () => {
    expect(edited(begin(graph), (old) => old, 'Nothing').past).toHaveLength(0);
  });

  test('edits that belong together are one step, until they are settled', () => {
    const typed = ['O', 'On', 'One'].reduce((at, name) => edited(at, named(name), 'Type', 'name'), begin(graph));
    expect(undone(typed).graph).toBe(graph);
    const more = edited(settled(typed), named('Two'), 'Type', 'name');
    expect(undone(more).graph.name).toBe('One');
  });
});
