import { apply, select } from '@/editor/store';
import { setFrame, setNote } from '@/graph/decorate';
import { disconnect } from '@/graph/edges';
import { removeNodes } from '@/graph/nodes';
import { fill, words } from '@/text/language';
import { action } from './action';

/** Remove what is chosen. */
export const deleteChosen = action({
  id: 'delete',
  title: words.actions.delete,
  group: 'edit',
  keys: ['Delete', 'Backspace'],
  enabled: ({ editor }) => Object.values(editor.getState().selection).some((one: ReadonlySet<string>) => one.size > 0),
  run: ({ editor, say }) => {
    const { selection, level } = editor.getState();
    const count = selection.nodes.size + selection.edges.size + selection.notes.size + selection.frames.size;
    apply(editor, words.actions.delete, (graph) => {
      let changed = disconnect(level, selection.edges)(graph);
      changed = removeNodes(selection.nodes)(changed);
      for (const id of selection.notes) changed = setNote(id, undefined)(changed);
      for (const id of selection.frames) changed = setFrame(id, undefined)(changed);
      return changed;
    });
    select(editor, {});
    say(fill(words.canvas.said.removed, { count }));
  },
});
