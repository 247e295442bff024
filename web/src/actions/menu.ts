import { words } from '@/text/language';
import { action } from './action';

/** What can be done with what is chosen. */
export const menu = action({
  id: 'menu',
  title: words.actions.menu,
  group: 'node',
  keys: ['Shift+F10', 'ContextMenu'],
  reads: true,
  hidden: true,
  run: ({ open }) => open('menu'),
});
