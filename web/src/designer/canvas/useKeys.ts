import { type RefObject, useEffect } from 'react';
import { usable } from '@/actions';
import { pasteText } from '@/actions/clipboard';
import { actionFor } from '@/actions/keys';
import type { CanvasShared } from './context';

/** Whether keys are text where they go. */
function isWriting(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName) || target.role === 'textbox')
  );
}

/** Keys of a canvas: all of them on it; those with Ctrl or ⌘ also where nothing else has the keys. */
export function useKeys(shared: CanvasShared, root: RefObject<HTMLElement | null>): void {
  useEffect(() => {
    // After Escape with nothing chosen Tab leaves the canvas as it leaves everything else.
    let leaving = false;
    // What lies over the canvas may close at this very press: Escape is then not the canvas's, too.
    let covered = false;
    const begun = () => {
      covered = document.querySelector('[aria-modal="true"]') !== null;
    };
    const pressed = (event: KeyboardEvent) => {
      const target = event.target instanceof Element ? event.target : null;
      if (covered || event.defaultPrevented || isWriting(target) || target?.closest('[role="dialog"], [role="menu"]'))
        return;
      const inside = target !== null && root.current?.contains(target);
      const own = target === root.current || target === document.body || target?.closest('[data-card], .react-flow');
      if (!inside && target !== document.body && !(event.ctrlKey || event.metaKey)) return;
      const action = actionFor(event);
      if (!action) return;
      // On a button of the canvas, Enter, Space and Tab are the button's.
      if (!own && /^(Enter|Tab| |Arrow.*|Escape)$/.test(event.key) && !event.ctrlKey && !event.metaKey) return;
      const { selection } = shared.editor.getState();
      const nothing = Object.values(selection).every((one: ReadonlySet<string>) => one.size === 0);
      if (event.key === 'Escape') leaving = nothing;
      if (event.key === 'Tab') {
        if (leaving || event.shiftKey || !root.current?.contains(document.activeElement)) return;
      } else if (event.key !== 'Escape') {
        leaving = false;
      }
      // The browser's own paste event brings the text without asking for a permission.
      if (action.id === 'paste') return;
      if ((action.id === 'copy' || action.id === 'cut') && window.getSelection()?.toString()) return;
      if (!usable(action, shared.actions)) {
        if (event.key === 'Tab' || event.key === 'Enter') return;
        event.preventDefault();
        return;
      }
      event.preventDefault();
      void Promise.resolve(action.run(shared.actions)).catch((error: unknown) =>
        shared.actions.say(error instanceof Error ? error.message : String(error)),
      );
    };
    const pasted = (event: ClipboardEvent) => {
      const target = event.target instanceof Node ? event.target : null;
      const here = target === document.body || (target !== null && root.current?.contains(target));
      if (!here || shared.readOnly || isWriting(target)) return;
      event.preventDefault();
      pasteText(shared.actions, event.clipboardData?.getData('text/plain') ?? '');
    };
    window.addEventListener('keydown', begun, true);
    document.addEventListener('keydown', pressed);
    document.addEventListener('paste', pasted);
    return () => {
      window.removeEventListener('keydown', begun, true);
      document.removeEventListener('keydown', pressed);
      document.removeEventListener('paste', pasted);
    };
  }, [shared, root]);
}
