import { apply, graphOf, select } from '@/editor/store';
import { freshDecoration, setFrame } from '@/graph/decorate';
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
    const left = cards.length ? Math.min(...cards.map((card) => card.box.left)) - 30 : x - 200;
    const top = cards.length ? Math.min(...cards.map((card) => card.box.top)) - 60 : y - 120;
    const right = cards.length ? Math.max(...cards.map((card) => card.box.right)) + 30 : x + 200;
    const bottom = cards.length ? Math.max(...cards.map((card) => card.box.bottom)) + 30 : y + 120;
    apply(
      editor,
      words.actions.frame,
      setFrame(id, {
        title: words.canvas.newFrame,
        at: rounded([left, top]),
        size: rounded([right - left, bottom - top]),
        color: 'blue',
      }),
    );
    select(editor, { frames: [id] });
    open('write', { kind: 'frame', id });
  },
});
