import { words } from '@/text/language';
import { action } from './action';

/** Show all of the level. */
export const fit = action({
  id: 'fit',
  title: words.actions.fit,
  group: 'view',
  keys: ['1'],
  reads: true,
  run: ({ view }) => view.fit(),
});
