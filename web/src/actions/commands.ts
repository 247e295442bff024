import { words } from '@/text/language';
import { action } from './action';

/** All that can be done, by its name. */
export const commands = action({
  id: 'commands',
  title: words.actions.commands,
  group: 'help',
  keys: ['Mod+K'],
  reads: true,
  run: ({ open }) => open('commands'),
});
