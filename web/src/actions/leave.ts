import { graphOf, select } from '@/editor/store';
import { labelOf } from '@/graph/model';
import { nodeOf, placesOf } from '@/graph/read';
import { fill, words } from '@/text/language';
import { action } from './action';

/** Back to the level that this one is in, or to the graph that calls this one. */
export const leave = action({
  id: 'leave',
  title: words.actions.leave,
  group: 'view',
  keys: ['Mod+ArrowUp'],
  reads: true,
  enabled: ({ editor, callers }) => editor.getState().level !== null || callers() > 0,
  run: ({ editor, say, view, callers, open }) => {
    const { level } = editor.getState();
    if (level === null) {
      open('caller', callers() - 1);
      return;
    }
    const above = placesOf(graphOf(editor)).get(level)?.level ?? null;
    editor.setState({ level: above });
    select(editor, { nodes: [level] });
    const owner = above === null ? undefined : nodeOf(graphOf(editor), above);
    say(fill(words.canvas.said.left, { name: owner ? labelOf(owner) : words.canvas.root }));
    requestAnimationFrame(() => view.fit());
  },
});
