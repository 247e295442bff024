import { words } from '@/text/language';
import { action } from './action';

/** The sheet of keys. */
export const shortcuts = action({
  id: 'shortcuts',
  title: words.actions.shortcuts,
  group: 'help',
  keys: ['?'],
  reads: true,
  run: ({ open }) => open('shortcuts'),
});
