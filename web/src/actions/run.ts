import { words } from '@/text/language';
import { action } from './action';

/** Run the graph. */
export const run = action({
  id: 'run',
  title: words.actions.run,
  group: 'run',
  keys: ['Mod+Enter'],
  run: ({ open }) => open('run', {}),
});
