import { words } from '@/text/language';
import { action } from './action';

/** The graph as a list. */
export const outline = action({
  id: 'outline',
  title: words.actions.outline,
  group: 'view',
  keys: ['Shift+O'],
  reads: true,
  run: ({ open }) => open('outline'),
});
