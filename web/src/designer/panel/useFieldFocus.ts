import { type RefObject, useEffect } from 'react';
import { type Editor, FIRST_EMPTY, useEditor } from '@/editor/store';

/** Milliseconds after which a dialog has put the keyboard where it begins. */
const DIALOG_OPENS = 80;

/** Where a parameter is written: the fields of a form, not the choices beside them. */
const WRITTEN = 'input:not([type="radio"]):not([readonly]), textarea, [contenteditable="true"]';

/** Whether nothing stands in a field. */
function isEmpty(control: HTMLElement): boolean {
  if (control instanceof HTMLInputElement || control instanceof HTMLTextAreaElement) return control.value === '';
  return !control.textContent?.trim() || control.querySelector('.cm-placeholder') !== null;
}

/** Put the keyboard at the first required parameter that has nothing yet; false where that is not drawn yet. */
function toFirstEmpty(root: ParentNode): boolean {
  for (const field of root.querySelectorAll<HTMLElement>('[data-field][data-required]')) {
    const control = field.querySelector<HTMLElement>(WRITTEN);
    // The editor of an expression comes after the form.
    if (!control && field.dataset.expression) return false;
    if (!control || !isEmpty(control)) continue;
    control.focus();
    return true;
  }
  return root.querySelector('[data-field]') !== null;
}

/** Bring the parameter into view that the panel was opened for, and put the keyboard there. It may be drawn later. */
export function useFieldFocus(editor: Editor, place: RefObject<HTMLElement | null>): void {
  const field = useEditor(editor, (state) => state.openedField);
  useEffect(() => {
    const root = place.current;
    if (field === null || !root) return;
    const parts = field.split('/');
    const find = () => {
      if (field === FIRST_EMPTY) {
        const done = toFirstEmpty(root);
        if (done) editor.setState({ openedField: null });
        return done;
      }
      // A part of a value that is one control stands for all of it.
      for (let length = parts.length; length > 0; length--) {
        const name = CSS.escape(parts.slice(0, length).join('/'));
        const found = root.querySelector<HTMLElement>(`[data-field="${name}"]`);
        if (!found) continue;
        found.scrollIntoView({ block: 'center' });
        const control = found.querySelector<HTMLElement>(
          'input:not([type="radio"]), textarea, [contenteditable="true"]',
        );
        (control ?? found).focus({ preventScroll: true });
        editor.setState({ openedField: null });
        return true;
      }
      return false;
    };
    const observer = new MutationObserver(() => find() && observer.disconnect());
    // A dialog that opens takes the keyboard to its beginning first.
    const timer = setTimeout(() => {
      if (!find()) observer.observe(root, { childList: true, subtree: true });
    }, DIALOG_OPENS);
    return () => {
      clearTimeout(timer);
      observer.disconnect();
    };
  }, [editor, field, place]);
}
