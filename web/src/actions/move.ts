import { apply } from '@/editor/store';
import type { Point } from '@/graph/model';
import { moveNodes } from '@/graph/nodes';
import { fill, words } from '@/text/language';
import { type Action, action } from './action';
import { boxesOf } from './boxes';

const WAYS: readonly (readonly [string, string, number, number])[] = [
  ['left', words.actions.moveLeft, -1, 0],
  ['right', words.actions.moveRight, 1, 0],
  ['up', words.actions.moveUp, 0, -1],
  ['down', words.actions.moveDown, 0, 1],
];
const STEP = 20;

/** Move what is chosen by a step; steps in a row are taken back together. */
export const MOVES: readonly Action[] = WAYS.map(([way, title, x, y]) =>
  action({
    id: `move-${way}`,
    title,
    group: 'arrange',
    keys: [`Alt+Arrow${way[0]?.toUpperCase()}${way.slice(1)}`],
    hidden: true,
    enabled: ({ editor }) => editor.getState().selection.nodes.size > 0,
    run: (context) => {
      const places = new Map<string, Point>();
      for (const [id, box] of boxesOf(context)) places.set(id, [box.left + x * STEP, box.top + y * STEP]);
      apply(context.editor, title, moveNodes(places), `move ${[...places.keys()].join(' ')}`);
      const first = places.values().next().value;
      if (first) context.say(fill(words.canvas.said.moved, { x: Math.round(first[0]), y: Math.round(first[1]) }));
    },
  }),
);
