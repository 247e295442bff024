import { graphOf, select } from '@/editor/store';
import { fill, words } from '@/text/language';
import { action } from './action';

/** Choose all of the level. */
export const selectAll = action({
  id: 'select-all',
  title: words.actions.selectAll,
  group: 'edit',
  keys: ['Mod+A'],
  reads: true,
  run: ({ editor, say, scene }) => {
    const { level } = editor.getState();
    const { canvas } = graphOf(editor);
    const nodes = [...scene().cards.keys()];
    select(editor, {
      nodes,
      ...(level === null && { notes: Object.keys(canvas?.notes ?? {}), frames: Object.keys(canvas?.frames ?? {}) }),
    });
    say(fill(words.canvas.said.selected, { count: nodes.length }));
  },
});
