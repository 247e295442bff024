import { redo } from '@/editor/store';
import { fill, words } from '@/text/language';
import { action } from './action';

/** Change again what was taken back. */
export const redoLast = action({
  id: 'redo',
  title: words.actions.redo,
  group: 'edit',
  keys: ['Mod+Shift+Z', 'Mod+Y'],
  run: ({ editor, say }) => {
    const next = editor.getState().history.future.at(-1);
    redo(editor);
    say(next ? fill(words.canvas.said.redone, { label: next.label }) : words.canvas.said.nothingToRedo);
  },
});
