import { apply, graphOf } from '@/editor/store';
import { toggleDisabled } from '@/graph/nodes';
import { nodeOf } from '@/graph/read';
import { fill, words } from '@/text/language';
import { action } from './action';

/** Switch nodes off or on. */
export const disable = action({
  id: 'disable',
  title: words.actions.disable,
  group: 'node',
  keys: ['D'],
  enabled: ({ editor }) => editor.getState().selection.nodes.size > 0,
  run: ({ editor, say, scene }) => {
    const ids = [...editor.getState().selection.nodes];
    apply(editor, words.actions.disable, toggleDisabled(ids));
    const names = ids.map((id) => scene().cards.get(id)?.title ?? id).join(', ');
    const off = nodeOf(graphOf(editor), ids[0] ?? '')?.disabled;
    say(fill(off ? words.canvas.said.disabled : words.canvas.said.enabled, { names }));
  },
});
