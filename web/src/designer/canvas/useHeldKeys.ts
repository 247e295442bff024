import { type RefObject, useEffect } from 'react';
import type { CanvasShared } from './context';
import { HeldKeys } from './heldKeys';

/** Keys that only change others. */
const MODIFIERS = /^(Shift|Control|Alt|Meta|AltGraph|CapsLock)$/;

/** Give a key to what has the keyboard: text to a field, all else as a press. */
function handOn(event: KeyboardEvent): void {
  const field = document.activeElement;
  if (!field) return;
  const plain = !event.ctrlKey && !event.metaKey && !event.altKey;
  const writable = (field instanceof HTMLInputElement || field instanceof HTMLTextAreaElement) && !field.readOnly;
  if (writable && plain && event.key.length === 1) {
    field.setRangeText(event.key, field.selectionStart ?? 0, field.selectionEnd ?? 0, 'end');
    field.dispatchEvent(new InputEvent('input', { bubbles: true, data: event.key, inputType: 'insertText' }));
    return;
  }
  field.dispatchEvent(
    new KeyboardEvent('keydown', { key: event.key, code: event.code, bubbles: true, cancelable: true }),
  );
}

/**
 * A dialog that was asked for may not be there yet: keys that are pressed until it has the keyboard are meant for it,
 * not for the canvas, where letters are commands. They are kept, and given to it.
 */
export function useHeldKeys({ store, editor }: CanvasShared, root: RefObject<HTMLElement | null>): void {
  useEffect(() => {
    // What has come has seen to its first look in the next frame.
    const keys = new HeldKeys<KeyboardEvent>({ later: (give) => requestAnimationFrame(give), give: handOn });
    const none = () => keys.none();
    const asked = (now: unknown, before: unknown) => {
      if (!now) none();
      else if (now !== before) keys.ask();
    };
    const unhear = [
      store.subscribe((state, before) => state.dialog !== before.dialog && asked(state.dialog, before.dialog)),
      editor.subscribe((state, before) => state.opened !== before.opened && asked(state.opened, before.opened)),
    ];
    const press = (event: KeyboardEvent) => {
      const at = event.target;
      if (!event.isTrusted || !keys.waits(at === root.current || at === document.body)) return;
      event.stopImmediatePropagation();
      event.preventDefault();
      if (event.key === 'Escape' && keys.waiting) {
        none();
        store.setState({ dialog: null });
        editor.setState({ opened: null });
      } else if (!MODIFIERS.test(event.key)) keys.hold(event);
    };
    const focused = (event: FocusEvent) => {
      if (event.target !== root.current && event.target !== document.body) keys.come();
    };
    window.addEventListener('keydown', press, true);
    window.addEventListener('focusin', focused);
    window.addEventListener('pointerdown', none, true);
    return () => {
      for (const stop of unhear) stop();
      window.removeEventListener('keydown', press, true);
      window.removeEventListener('focusin', focused);
      window.removeEventListener('pointerdown', none, true);
    };
  }, [store, editor, root]);
}
