import { apply, graphOf } from '@/editor/store';
import { setPins } from '@/graph/nodes';
import { words } from '@/text/language';
import { action } from './action';

/** Unpin a node's output; where nothing is pinned, pin what it gave in the run that is shown, else in the last one. */
export const pin = action({
  id: 'pin',
  title: words.actions.pin,
  group: 'node',
  keys: ['P'],
  enabled: ({ editor }) => editor.getState().selection.nodes.size === 1,
  run: ({ editor, say, open }) => {
    const id = [...editor.getState().selection.nodes][0] ?? '';
    if (graphOf(editor).pins?.[id] === undefined) {
      open('pin', { node: id, pinned: () => say(words.canvas.said.pinned) });
      return;
    }
    apply(editor, words.actions.pin, setPins(id, undefined));
    say(words.canvas.said.unpinned);
  },
});
