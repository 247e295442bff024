import { apply } from '@/editor/store';
import { setColor } from '@/graph/decorate';
import { COLORS } from '@/graph/model';
import { fill, words } from '@/text/language';
import { type Action, action } from './action';

/** Colour what is chosen, or take its colour away. */
export const COLORINGS: readonly Action[] = [...COLORS, null].map((color) =>
  action({
    id: `color-${color ?? 'none'}`,
    title: color ? fill(words.actions.color, { color: words.actions.colors[color] }) : words.actions.colorNone,
    group: 'arrange',
    enabled: ({ editor }) => {
      const { nodes, notes, frames } = editor.getState().selection;
      return nodes.size + notes.size + frames.size > 0;
    },
    run: ({ editor, say }) => {
      apply(editor, words.canvas.color, setColor(editor.getState().selection, color ?? undefined));
      say(words.canvas.said.colored);
    },
  }),
);
