import { apply, graphOf, select } from '@/editor/store';
import { inlined, isRefusal } from '@/graph/extract';
import { fill, words } from '@/text/language';
import { action } from './action';
import { aboutOf, toldRefusal } from './extract';

/** Put what is in the body of a map in its place, where that means the same. */
export const inline = action({
  id: 'inline',
  title: words.actions.inline,
  group: 'arrange',
  keys: ['Shift+Alt+X'],
  enabled: ({ editor, scene }) => {
    const [id] = editor.getState().selection.nodes;
    return editor.getState().selection.nodes.size === 1 && Boolean(id && scene().cards.get(id)?.inside);
  },
  run: (context) => {
    const { editor, say, scene } = context;
    const id = [...editor.getState().selection.nodes][0] ?? '';
    const card = scene().cards.get(id);
    const moved = inlined(graphOf(editor), id, aboutOf(context));
    if (isRefusal(moved)) {
      say(toldRefusal(moved));
      return;
    }
    apply(editor, words.actions.inline, () => moved.graph);
    select(editor, { nodes: card?.node.body?.nodes?.map((node) => node.id) ?? [] });
    say(fill(words.canvas.said.inlined, { name: card?.title ?? id }));
  },
});
