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
    if (!last) {
      say(words.canvas.said.nothingToUndo);
      return;
    }
    const told = fill(words.canvas.said.undone, { label: last.label });
    say(last.label === words.actions.separate ? `${told}. ${words.canvas.said.fileStays}` : told);
  },
});
