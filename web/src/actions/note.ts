import { apply, graphOf, select } from '@/editor/store';
import { freshDecoration, setNote } from '@/graph/decorate';
import { rounded } from '@/graph/nodes';
import { words } from '@/text/language';
import { action } from './action';

/** Add a sticky note. */
export const addNote = action({
  id: 'note',
  title: words.actions.note,
  group: 'edit',
  keys: ['Shift+S'],
  enabled: ({ editor }) => editor.getState().level === null,
  run: ({ editor, view, open }) => {
    if (editor.getState().level !== null) return;
    const id = freshDecoration(graphOf(editor), 'notes');
    const [x, y] = view.center();
    apply(
      editor,
      words.actions.note,
      setNote(id, { text: words.canvas.newNote, at: rounded([x - 120, y - 80]), size: [240, 160], color: 'yellow' }),
    );
    select(editor, { notes: [id] });
    open('write', { kind: 'note', id });
  },
});
