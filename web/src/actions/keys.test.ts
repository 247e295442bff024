import { describe, expect, test } from 'vitest';
import { ACTIONS } from './index';
import { actionFor, isPress, type Press, shownKeys } from './keys';

const press = (key: string, held: Partial<Press> = {}): Press => ({
  key,
  code: '',
  ctrlKey: false,
  metaKey: false,
  shiftKey: false,
  altKey: false,
  ...held,
});

describe('keys', () => {
  test('a chord is a press with exactly what it names', () => {
    expect(isPress('Mod+D', press('d', { ctrlKey: true }), false)).toBe(true);
    expect(isPress('Mod+D', press('d', { metaKey: true }), true)).toBe(true);
    expect(isPress('Mod+D', press('d'), false)).toBe(false);
    expect(isPress('D', press('d', { ctrlKey: true }), false)).toBe(false);
    expect(isPress('Mod+Z', press('Z', { ctrlKey: true, shiftKey: true }), false)).toBe(false);
  });

  test('a sign may need Shift on a keyboard', () => {
    expect(isPress('?', press('?', { shiftKey: true }), false)).toBe(true);
    expect(isPress('+', press('+', { shiftKey: true }), false)).toBe(true);
    expect(isPress('+', press('+'), false)).toBe(true);
  });

  test('Alt may make another letter of a key', () => {
    expect(isPress('Alt+X', press('≈', { altKey: true, code: 'KeyX' }), false)).toBe(true);
  });

  test('no two actions have the same key', () => {
    const keys = ACTIONS.flatMap((one) => one.keys ?? []);
    expect(keys.filter((key, index) => keys.indexOf(key) !== index)).toEqual([]);
    expect(new Set(ACTIONS.map((one) => one.id)).size).toBe(ACTIONS.length);
  });

  test('the keys that people know from n8n do what they do there', () => {
    const known: readonly (readonly [Press, string])[] = [
      [press('Tab'), 'add'],
      [press('Enter'), 'open'],
      [press('F2'), 'rename'],
      [press('d'), 'disable'],
      [press('p'), 'pin'],
      [press('1'), 'fit'],
      [press('0'), 'zoom-reset'],
      [press('S', { shiftKey: true }), 'note'],
      [press('Delete'), 'delete'],
      [press('x', { altKey: true }), 'extract'],
      [press('T', { shiftKey: true, altKey: true }), 'tidy'],
    ];
    for (const [pressed, id] of known) expect(actionFor(pressed)?.id).toBe(id);
    expect(actionFor(press('z', { ctrlKey: true }))?.id).toBe('undo');
  });

  test('are shown as they stand on a keyboard', () => {
    expect(shownKeys('Mod+Shift+ArrowUp', false)).toEqual(['Ctrl', 'Shift', '↑']);
    expect(shownKeys('Mod+D', true)).toEqual(['⌘', 'D']);
  });
});
