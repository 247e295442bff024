import { select } from '@/editor/store';
import { words } from '@/text/language';
import { action } from './action';

/** Choose nothing. */
export const clear = action({
  id: 'clear',
  title: words.actions.clear,
  group: 'edit',
  keys: ['Escape'],
  reads: true,
  hidden: true,
  run: ({ editor }) => select(editor, {}),
});
