import { fill, words } from '@/text/language';
import { action } from './action';
import { chosenClip, countOf } from './clipboard';
import { deleteChosen } from './delete';

/** What is chosen on the clipboard and away. */
export const cut = action({
  id: 'cut',
  title: words.actions.cut,
  group: 'edit',
  keys: ['Mod+X'],
  enabled: ({ editor }) => Object.values(editor.getState().selection).some((one: ReadonlySet<string>) => one.size > 0),
  run: async (context) => {
    const clip = chosenClip(context.editor);
    await navigator.clipboard.writeText(JSON.stringify(clip, null, 2));
    await deleteChosen.run(context);
    context.say(fill(words.canvas.said.copied, { count: countOf(clip) }));
  },
});
