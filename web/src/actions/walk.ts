import { toldOf } from '@/designer/canvas/marks';
import { type Direction, nextTo } from '@/designer/canvas/walk';
import { select } from '@/editor/store';
import { words } from '@/text/language';
import { type Action, type ActionContext, action } from './action';

const WAYS: readonly (readonly [Direction, string, string])[] = [
  ['right', words.actions.walkRight, words.actions.extendRight],
  ['left', words.actions.walkLeft, words.actions.extendLeft],
  ['up', words.actions.walkUp, words.actions.extendUp],
  ['down', words.actions.walkDown, words.actions.extendDown],
];

function walk(context: ActionContext, way: Direction, extend: boolean): void {
  const { editor, scene, say, view } = context;
  const chosen = editor.getState().selection.nodes;
  const from = [...chosen].at(-1) ?? null;
  const card = nextTo(scene(), from, way, view.center());
  if (!card) {
    say(words.canvas.said.endOfPath);
    return;
  }
  const rest = extend ? [...chosen].filter((id) => id !== card.id) : [];
  select(editor, { nodes: [...rest, card.id] });
  view.reveal(card.id);
  say(toldOf(card, undefined));
}

const key = (way: Direction) => `Arrow${way[0]?.toUpperCase()}${way.slice(1)}`;

/** Go along the edges: right follows one, left goes back, up and down are among siblings, else to what is nearest. */
export const WALKS: readonly Action[] = WAYS.flatMap(([way, title, extending]) => [
  action({
    id: `walk-${way}`,
    title,
    group: 'view',
    keys: [key(way)],
    reads: true,
    hidden: true,
    run: (context) => walk(context, way, false),
  }),
  action({
    id: `extend-${way}`,
    title: extending,
    group: 'edit',
    keys: [`Shift+${key(way)}`],
    reads: true,
    hidden: true,
    run: (context) => walk(context, way, true),
  }),
]);
