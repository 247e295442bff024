// @vitest-environment jsdom
import { act, fireEvent, render, screen } from '@testing-library/react';
import { useState } from 'react';
import { afterEach, expect, test, vi } from 'vitest';
import { type Choice, ChooseList } from './ChooseList';

const NAMES = ['Apple', 'Banana', 'Cherry', 'Blueberry'];
const find = (query: string): readonly Choice[] =>
  NAMES.filter((name) => name.toLowerCase().includes(query.toLowerCase())).map((name) => ({ key: name, title: name }));
const none = (): readonly Choice[] => [];

afterEach(() => {
  document.body.innerHTML = '';
});

function draw(over: Partial<Parameters<typeof ChooseList>[0]> = {}) {
  const chosen = vi.fn();
  const closed = vi.fn();
  const key = vi.fn();
  Element.prototype.scrollIntoView = () => undefined;
  function Held(more: Partial<Parameters<typeof ChooseList>[0]>) {
    const [query, setQuery] = useState('');
    return (
      <ChooseList
        label="Fruit"
        placeholder=""
        query={query}
        onQuery={setQuery}
        find={find}
        nothing="none"
        onChoose={(choice) => chosen(choice.key)}
        onClose={closed}
        onKey={key}
        {...more}
      />
    );
  }
  const { rerender } = render(<Held {...over} />);
  return { chosen, closed, key, again: (more: typeof over) => rerender(<Held {...more} />) };
}

const field = () => screen.getByRole('combobox') as HTMLInputElement;
const type = (text: string) => fireEvent.change(field(), { target: { value: text } });

test('Enter chooses what fits the text, and arrows go on from there', () => {
  const { chosen } = draw();
  type('b');
  fireEvent.keyDown(field(), { key: 'ArrowDown' });
  fireEvent.keyDown(field(), { key: 'Enter' });
  expect(chosen).toHaveBeenCalledExactlyOnceWith('Blueberry');
});

test('Enter right behind the last letter chooses by that letter, though the list still shows what fitted before', () => {
  // The field has the text already, and whoever draws the list has not been told of it.
  const { chosen } = draw({ query: '', onQuery: () => undefined });
  fireEvent.keyDown(field(), { key: 'ArrowDown' });
  const setter = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value')?.set;
  setter?.call(field(), 'cher');
  fireEvent.keyDown(field(), { key: 'Enter' });
  expect(chosen).toHaveBeenCalledExactlyOnceWith('Cherry');
});

test('Enter before there is anything to search waits for it', () => {
  const { chosen, again } = draw({ find: none, ready: false });
  type('ban');
  fireEvent.keyDown(field(), { key: 'Enter' });
  expect(chosen).not.toHaveBeenCalled();
  again({ find, ready: true });
  expect(chosen).toHaveBeenCalledExactlyOnceWith('Banana');
});

test('what is typed after an Enter that waits takes it back', () => {
  const { chosen, again } = draw({ find: none, ready: false });
  type('ban');
  fireEvent.keyDown(field(), { key: 'Enter' });
  type('bana');
  again({ find, ready: true });
  expect(chosen).not.toHaveBeenCalled();
});

test('Ctrl+Enter chooses nothing, also where there is nothing to search yet', () => {
  const { chosen, key, again } = draw({ find: none, ready: false });
  type('ban');
  fireEvent.keyDown(field(), { key: 'Enter', ctrlKey: true });
  again({ find, ready: true });
  expect(chosen).not.toHaveBeenCalled();
  expect(key).toHaveBeenCalledOnce();
});

test('the Enter that ends a word of an input method chooses nothing', () => {
  const { chosen } = draw();
  type('b');
  fireEvent.keyDown(field(), { key: 'Enter', isComposing: true });
  expect(chosen).not.toHaveBeenCalled();
});

test('a list that changes under a pointer at rest stays at its first entry', () => {
  const { chosen } = draw();
  type('b');
  const second = screen.getAllByRole('option')[1] as HTMLElement;
  act(() => {
    second.dispatchEvent(new MouseEvent('pointermove', { bubbles: true }));
  });
  fireEvent.keyDown(field(), { key: 'Enter' });
  expect(chosen).toHaveBeenCalledExactlyOnceWith('Banana');
});

test('keys that it has no use for are handed on with what is marked', () => {
  const { key, closed } = draw();
  fireEvent.keyDown(field(), { key: 'Backspace' });
  expect(key).toHaveBeenCalledExactlyOnceWith(
    expect.objectContaining({ key: 'Backspace' }),
    expect.objectContaining({ key: 'Apple' }),
  );
  fireEvent.keyDown(field(), { key: 'Escape' });
  expect(closed).toHaveBeenCalledOnce();
});
