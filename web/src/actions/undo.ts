import { undo } from '@/editor/store';
import { fill, words } from '@/text/language';
import { action } from './action';

/** Take back what was changed last. */
export const undoLast = action({
  id: 'undo',
  title: words.actions.undo,
  group: 'edit',
  keys: ['Mod+Z'],
  run: ({ editor, say }) => {
    const last = editor.getState().history.past.at(-1);
    undo(editor);
    say(last ? fill(words.canvas.said.undone, { label: last.label }) : words.canvas.said.nothingToUndo);
  },
});
