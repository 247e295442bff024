import { apply, graphOf } from '@/editor/store';
import { placed } from '@/graph/frames';
import { words } from '@/text/language';
import { action } from './action';

/** Place nodes in layers from left to right: those that are chosen, else all. Frames go around what they hold. */
export const tidy = action({
  id: 'tidy',
  title: words.actions.tidy,
  group: 'arrange',
  keys: ['Shift+Alt+T'],
  run: async ({ editor, scene, say, view }) => {
    const { level, selection } = editor.getState();
    const { arranged } = await import('@/graph/arrange');
    const ids = selection.nodes.size > 1 ? selection.nodes : undefined;
    const canvas = level === null ? graphOf(editor).canvas : undefined;
    const places = await arranged(scene(), ids, canvas);
    // The graph may have changed in the meantime: places of nodes that are there no more are passed over.
    if (editor.getState().level !== level) return;
    apply(editor, words.actions.tidy, placed(places));
    say(words.canvas.said.tidied);
    if (!ids) requestAnimationFrame(() => view.fit());
  },
});
