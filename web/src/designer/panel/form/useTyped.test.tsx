// @vitest-environment jsdom
import { act, fireEvent, render, screen } from '@testing-library/react';
import type { ReactNode } from 'react';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createEditor, type Editor, graphOf, undo } from '@/editor/store';
import type { GraphSpec } from '@/graph/model';
import { type Panel, PanelContext } from '../context';
import { useTyped, useValue, useWrite } from './useParameter';

const graph: GraphSpec = { pyagent: 1, id: 'g', nodes: [{ id: 'a', use: 'x.y@1', with: { text: 'old', kept: 1 } }] };
let editor: Editor;

beforeEach(() => {
  vi.useFakeTimers();
  editor = createEditor('g', { text: '', textHash: '', graph });
});
afterEach(() => {
  vi.useRealTimers();
  document.body.innerHTML = '';
});

function Around({ children }: { readonly children: ReactNode }) {
  const panel = { editor, node: 'a', use: 'x.y@1' } as unknown as Panel;
  return <PanelContext value={panel}>{children}</PanelContext>;
}

function Field({
  name,
  standard,
  read,
}: {
  name: string;
  standard?: string;
  read?: (text: string) => string | number;
}) {
  const value = useValue([name]);
  const write = useWrite([name], standard);
  const typed = useTyped(String(value ?? ''), (text, merge) => write(read ? read(text) : text, merge));
  return (
    <input aria-label={name} value={typed.text} onChange={(e) => typed.type(e.target.value)} onBlur={typed.leave} />
  );
}

const parameters = () => graphOf(editor).nodes[0]?.with;
const field = (name: string) => screen.getByLabelText(name) as HTMLInputElement;
const type = (name: string, text: string) => fireEvent.change(field(name), { target: { value: text } });
const wait = () => act(() => vi.advanceTimersByTime(1_000));

test('what is typed shows at once and is written a moment later', () => {
  render(<Field name="text" />, { wrapper: Around });
  type('text', 'new');
  expect(field('text').value).toBe('new');
  expect(parameters()).toEqual({ text: 'old', kept: 1 });
  wait();
  expect(parameters()).toEqual({ text: 'new', kept: 1 });
});

test('leaving the field writes what is still on its way', () => {
  render(<Field name="text" />, { wrapper: Around });
  type('text', 'new');
  fireEvent.blur(field('text'));
  expect(parameters()?.text).toBe('new');
});

test('undo takes back a word', () => {
  render(<Field name="text" />, { wrapper: Around });
  for (const text of ['o', 'on', 'one', 'one ', 'one t', 'one tw', 'one two']) type('text', text);
  wait();
  act(() => undo(editor));
  expect(parameters()?.text).toBe('one');
  act(() => undo(editor));
  expect(parameters()?.text).toBe('old');
});

test('a number on its way is not taken from under the hands', () => {
  render(<Field name="text" read={(text) => Number(text)} />, { wrapper: Around });
  type('text', '1.');
  wait();
  expect(parameters()?.text).toBe(1);
  expect(field('text').value).toBe('1.');
});

test('a default that is chosen again is left out, but where the file said it', () => {
  render(
    <>
      <Field name="fresh" standard="old" />
      <Field name="text" standard="old" />
    </>,
    { wrapper: Around },
  );
  type('fresh', 'other');
  wait();
  type('fresh', 'old');
  wait();
  expect(parameters()).not.toHaveProperty('fresh');
  type('text', 'other');
  wait();
  type('text', 'old');
  wait();
  expect(parameters()?.text).toBe('old');
});
