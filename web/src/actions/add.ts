import { words } from '@/text/language';
import { action } from './action';

/** Open the palette of nodes. */
export const addNodeHere = action({
  id: 'add',
  title: words.actions.add,
  group: 'node',
  keys: ['Tab', 'N'],
  run: ({ open }) => open('palette'),
});
