import { apply } from '@/editor/store';
import { align, type Side } from '@/graph/place';
import { words } from '@/text/language';
import { type Action, action } from './action';
import { boxesOf } from './boxes';

const SIDES: readonly (readonly [Side, string, string])[] = [
  ['left', words.actions.alignLeft, 'Alt+Shift+A'],
  ['center', words.actions.alignCenter, 'Alt+Shift+H'],
  ['right', words.actions.alignRight, 'Alt+Shift+D'],
  ['top', words.actions.alignTop, 'Alt+Shift+W'],
  ['middle', words.actions.alignMiddle, 'Alt+Shift+V'],
  ['bottom', words.actions.alignBottom, 'Alt+Shift+S'],
];

/** Put what is chosen on one line. */
export const ALIGNMENTS: readonly Action[] = SIDES.map(([side, title, key]) =>
  action({
    id: `align-${side}`,
    title,
    group: 'arrange',
    keys: [key],
    enabled: ({ editor }) => editor.getState().selection.nodes.size > 1,
    run: (context) => apply(context.editor, title, align(boxesOf(context), side)),
  }),
);
