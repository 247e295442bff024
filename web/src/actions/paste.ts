import { words } from '@/text/language';
import { action } from './action';
import { pasteText } from './clipboard';

/** What the clipboard holds, in the middle of what is seen. */
export const paste = action({
  id: 'paste',
  title: words.actions.paste,
  group: 'edit',
  keys: ['Mod+V'],
  run: async (context) => {
    let text: string;
    try {
      text = await navigator.clipboard.readText();
    } catch {
      context.say(words.canvas.said.refusedClipboard);
      return;
    }
    pasteText(context, text);
  },
});
