import { apply, graphOf, select } from '@/editor/store';
import { freshDecoration, setFrame } from '@/graph/decorate';
import { roomAround } from '@/graph/frames';
import { rounded } from '@/graph/nodes';
import { words } from '@/text/language';
import { action } from './action';

/** Put a frame around what is chosen. */
export const addFrame = action({
  id: 'frame',
  title: words.actions.frame,
  group: 'arrange',
  keys: ['Shift+F'],
  enabled: ({ editor }) => editor.getState().level === null,
  run: ({ editor, view, open, scene }) => {
    const id = freshDecoration(graphOf(editor), 'frames');
    const cards = [...editor.getState().selection.nodes].flatMap((node) => scene().cards.get(node) ?? []);
    const [x, y] = view.center();
    const box = cards.length
      ? roomAround(cards.map((card) => card.box))
      : { left: x - 200, top: y - 120, right: x + 200, bottom: y + 120 };
    apply(
      editor,
      words.actions.frame,
      setFrame(id, {
        title: words.canvas.newFrame,
        at: rounded([box.left, box.top]),
        size: rounded([box.right - box.left, box.bottom - box.top]),
        color: 'blue',
      }),
    );
    select(editor, { frames: [id] });
    open('write', { kind: 'frame', id });
  },
});
