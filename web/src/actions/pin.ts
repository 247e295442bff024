import { words } from '@/text/language';
import { action } from './action';

/** Pin what a node has put out, or unpin it. */
export const pin = action({
  id: 'pin',
  title: words.actions.pin,
  group: 'node',
  keys: ['P'],
  enabled: ({ editor }) => editor.getState().selection.nodes.size === 1,
  run: ({ editor, open }) => open('pin', [...editor.getState().selection.nodes][0]),
});
