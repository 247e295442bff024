import { words } from '@/text/language';
import { action } from './action';

/** Connect a node with another by choosing it from a list. */
export const connectChosen = action({
  id: 'connect',
  title: words.actions.connect,
  group: 'node',
  keys: ['C'],
  enabled: ({ editor }) => editor.getState().selection.nodes.size === 1,
  run: ({ editor, open }) => open('connect', [...editor.getState().selection.nodes][0]),
});
