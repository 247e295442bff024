/** From keys to actions. */

import type { Action } from './action';
import { ACTIONS } from './index';

/** What a key is pressed with. */
export interface Press {
  readonly key: string;
  /** The key's place, which does not change with Alt or Shift: `KeyA`, `Digit1`. */
  readonly code: string;
  readonly ctrlKey: boolean;
  readonly metaKey: boolean;
  readonly shiftKey: boolean;
  readonly altKey: boolean;
}

const MAC = typeof navigator !== 'undefined' && /Mac|iPhone|iPad/.test(navigator.platform);

/** Whether a press is that chord, such as `Mod+Shift+Z` or `?`. */
export function isPress(chord: string, press: Press, mac: boolean = MAC): boolean {
  const parts = chord === '+' ? ['+'] : chord.split('+');
  const key = parts.at(-1) ?? '';
  const wanted = (name: string) => parts.slice(0, -1).includes(name);
  const mod = mac ? press.metaKey : press.ctrlKey;
  const other = mac ? press.ctrlKey : press.metaKey;
  if (wanted('Mod') !== mod || other || wanted('Alt') !== press.altKey) return false;
  // A sign such as `?` or `+` may need Shift on one keyboard and not on another.
  const sign = key.length === 1 && !/[a-z0-9]/i.test(key);
  if (!sign && wanted('Shift') !== press.shiftKey) return false;
  if (key.toLowerCase() === press.key.toLowerCase()) return true;
  return press.altKey && /^[A-Z]$/.test(key) && press.code === `Key${key}`;
}

/** The action that a press is for. */
export function actionFor(press: Press): Action | undefined {
  return ACTIONS.find((one) => one.keys?.some((chord) => isPress(chord, press)));
}

const SIGNS: { readonly [key: string]: string } = {
  ArrowLeft: '←',
  ArrowRight: '→',
  ArrowUp: '↑',
  ArrowDown: '↓',
  Escape: 'Esc',
  Delete: 'Del',
};

/** A chord as people read it. */
export function shownKeys(chord: string, mac: boolean = MAC): readonly string[] {
  if (chord === '+') return ['+'];
  return chord.split('+').map((part) => {
    if (part === 'Mod') return mac ? '⌘' : 'Ctrl';
    if (part === 'Alt') return mac ? '⌥' : 'Alt';
    return SIGNS[part] ?? part;
  });
}
