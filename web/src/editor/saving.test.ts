import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { begin, edited } from '@/graph/history';
import type { GraphSpec } from '@/graph/model';
import { type FileEvent, isChanged, showing, stateAfter } from './saving';
import type { EditorState, Saved } from './store';

type Part = Pick<EditorState, 'history' | 'saved' | 'saving' | 'theirs' | 'typed'>;
const file = (graph: GraphSpec): Saved => ({ text: JSON.stringify(graph), textHash: graph.name ?? '', graph });
const named = (name: string): GraphSpec => ({ pyagent: 1, id: 'sample', name, nodes: [] });

describe('saving', () => {
  test('what was edited while it was saved is still a change', () => {
    const first = named('first');
    let state: Part = {
      history: begin(named('zero')),
      saved: file(named('zero')),
      saving: 'saved',
      theirs: null,
      typed: null,
    };
    state = showing(
      state,
      edited(state.history, () => first, 'Edit'),
    );
    state = stateAfter(state, { kind: 'sent' });
    state = showing(
      state,
      edited(state.history, () => named('second'), 'Edit'),
    );
    state = stateAfter(state, { kind: 'written', sent: first, typed: null, saved: file(named('first')) });
    expect(state.saving).toBe('changed');
    expect(state.history.graph.name).toBe('second');
  });

  test('the news of a save that comes before its answer changes nothing', () => {
    const shown = named('mine');
    const history = edited(begin(named('zero')), () => shown, 'Edit');
    const before: Part = { history, saved: file(named('zero')), saving: 'saving', theirs: null, typed: null };
    const onDisk = file(named('mine'));
    const event = { kind: 'merged', shown, merged: named('mine'), text: onDisk.text, saved: onDisk } as const;
    const state = stateAfter(before, event);
    expect(state.history).toBe(history);
    expect(state.saving).toBe('saved');
    expect(state.typed).toBeNull();
  });

  test('whatever happens to the file in whatever order, what is shown stays or can be undone to', () => {
    const events = fc.constantFrom(
      'edit',
      'sent',
      'written',
      'merged',
      'stale merge',
      'clashed',
      'offline',
      'locked',
      'refused',
    );
    fc.assert(
      fc.property(fc.array(events, { maxLength: 40 }), (happened) => {
        let count = 0;
        const fresh = () => named(`n${count++}`);
        const start = fresh();
        let state: Part = { history: begin(start), saved: file(start), saving: 'saved', theirs: null, typed: null };
        let sent = start;
        for (const name of happened) {
          const before = state.history.graph;
          if (name === 'edit') state = showing(state, edited(state.history, fresh, 'Edit'));
          else if (name === 'sent') {
            sent = before;
            state = stateAfter(state, { kind: 'sent' });
          } else state = stateAfter(state, eventOf(name, before, sent, fresh));
          const kept = [state.history.graph, ...state.history.past.map((step) => step.graph)];
          expect(kept).toContain(before);
          if (state.saving === 'saved') expect(isChanged(state)).toBe(false);
        }
      }),
    );
  });
});

function eventOf(name: string, shown: GraphSpec, sent: GraphSpec, fresh: () => GraphSpec): FileEvent {
  switch (name) {
    case 'written':
      return { kind: 'written', sent, typed: null, saved: file(sent) };
    case 'merged':
      return { kind: 'merged', shown, merged: fresh(), text: null, saved: file(fresh()) };
    case 'stale merge':
      return { kind: 'merged', shown: fresh(), merged: fresh(), text: null, saved: file(fresh()) };
    case 'clashed':
      return { kind: 'clashed', theirs: file(fresh()) };
    case 'offline':
    case 'locked':
      return { kind: 'failed', state: name };
    default:
      return { kind: 'failed', state: 'refused' };
  }
}
