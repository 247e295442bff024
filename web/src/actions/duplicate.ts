import { apply, graphOf, select } from '@/editor/store';
import { duplicated } from '@/graph/copy';
import { placesAt } from '@/graph/place';
import { fill, words } from '@/text/language';
import { action } from './action';

/** A second one of what is chosen. */
export const duplicate = action({
  id: 'duplicate',
  title: words.actions.duplicate,
  group: 'edit',
  keys: ['Mod+D'],
  enabled: ({ editor }) => Object.values(editor.getState().selection).some((one: ReadonlySet<string>) => one.size > 0),
  run: ({ editor, say }) => {
    const { selection, level } = editor.getState();
    const graph = graphOf(editor);
    const places = placesAt(graph, level);
    const made = duplicated(graph, level, selection, (id) => places.get(id) ?? [0, 0]);
    apply(editor, words.actions.duplicate, () => made.graph);
    select(editor, made);
    say(fill(words.canvas.said.duplicated, { count: made.nodes.length + made.notes.length + made.frames.length }));
  },
});
