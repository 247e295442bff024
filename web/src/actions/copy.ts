import { fill, words } from '@/text/language';
import { action } from './action';
import { chosenClip, countOf } from './clipboard';

/** What is chosen as JSON on the clipboard. */
export const copy = action({
  id: 'copy',
  title: words.actions.copy,
  group: 'edit',
  keys: ['Mod+C'],
  reads: true,
  enabled: ({ editor }) => Object.values(editor.getState().selection).some((one: ReadonlySet<string>) => one.size > 0),
  run: async (context) => {
    const { editor, say } = context;
    const clip = chosenClip(editor);
    await navigator.clipboard.writeText(JSON.stringify(clip, null, 2));
    say(fill(words.canvas.said.copied, { count: countOf(clip) }));
  },
});
