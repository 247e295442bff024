import { words } from '@/text/language';
import { action } from './action';

/** Find in names, ids, types, parameters and notes. */
export const find = action({
  id: 'find',
  title: words.actions.find,
  group: 'view',
  keys: ['Mod+F'],
  reads: true,
  run: ({ open }) => open('find'),
});
