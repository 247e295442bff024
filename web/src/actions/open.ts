import { words } from '@/text/language';
import { action } from './action';

/** Open the panel of the node that is chosen. */
export const openNode = action({
  id: 'open',
  title: words.actions.open,
  group: 'node',
  keys: ['Enter'],
  reads: true,
  enabled: ({ editor }) => editor.getState().selection.nodes.size === 1,
  run: ({ editor }) => {
    const [id] = editor.getState().selection.nodes;
    if (id) editor.setState({ opened: id });
  },
});
