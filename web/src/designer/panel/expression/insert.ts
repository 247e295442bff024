/** How a field of the data gets into a template that is being edited. */

import type { EditorView } from '@codemirror/view';
import { codeAt } from './templates';

/** Put code where the cursor is: in braces, but where the cursor is between braces already. */
export function insertCode(view: EditorView, code: string, place?: number): void {
  const text = view.state.doc.toString();
  const { from, to } = place === undefined ? view.state.selection.main : { from: place, to: place };
  const insert = codeAt(text, from) ? code : `{{ ${code} }}`;
  view.dispatch({
    changes: { from, to, insert },
    selection: { anchor: from + insert.length },
    userEvent: 'input.drop',
    scrollIntoView: true,
  });
  view.focus();
}
