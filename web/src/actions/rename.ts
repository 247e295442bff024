import { words } from '@/text/language';
import { action } from './action';

/** Give a node another name. */
export const rename = action({
  id: 'rename',
  title: words.actions.rename,
  group: 'node',
  keys: ['F2'],
  enabled: ({ editor }) => editor.getState().selection.nodes.size === 1,
  run: ({ editor, open }) => open('rename', [...editor.getState().selection.nodes][0]),
});
