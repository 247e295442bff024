import { beforeEach, expect, test } from 'vitest';
import { HeldKeys } from './heldKeys';

let given: string[];
let frame: (() => void) | null;
let keys: HeldKeys<string>;
let onGive: (key: string) => void;

beforeEach(() => {
  given = [];
  frame = null;
  onGive = () => undefined;
  keys = new HeldKeys<string>({
    later: (give) => {
      frame = give;
    },
    give: (key) => {
      given.push(key);
      onGive(key);
    },
  });
});

/** A key as the page meets it: it waits, or it goes where the keyboard is. */
function press(key: string, onCanvas = true): void {
  if (keys.waits(onCanvas)) keys.hold(key);
  else given.push(`${key} at once`);
}

const next = () => {
  const give = frame;
  frame = null;
  give?.();
};

test('keys wait for the dialog that was asked for', () => {
  keys.ask();
  press('a');
  press('b');
  expect(given).toEqual([]);
  keys.come();
  next();
  expect(given).toEqual(['a', 'b']);
  press('c', false);
  expect(given).toEqual(['a', 'b', 'c at once']);
});

test('a key that is pressed when the dialog has come, but has not been given those before it, comes after them', () => {
  keys.ask();
  press('a');
  keys.come();
  press('b', false);
  press('Enter', false);
  next();
  expect(given).toEqual(['a', 'b', 'Enter']);
});

test('keys behind one that asks for the next dialog are kept for that one', () => {
  onGive = (key) => {
    if (key !== 'Enter') return;
    keys.none();
    keys.ask();
  };
  keys.ask();
  for (const key of ['a', 'Enter', 'b']) press(key);
  keys.come();
  next();
  expect(given).toEqual(['a', 'Enter']);
  keys.come();
  next();
  expect(given).toEqual(['a', 'Enter', 'b']);
});

test('keys for a dialog that does not come are forgotten', () => {
  keys.ask();
  press('a');
  keys.none();
  keys.come();
  expect(frame).toBeNull();
  press('b');
  expect(given).toEqual(['b at once']);
});
