import { apply } from '@/editor/store';
import { distribute } from '@/graph/place';
import { words } from '@/text/language';
import { type Action, action } from './action';
import { boxesOf } from './boxes';

/** Put the same room between all that is chosen. */
export const DISTRIBUTIONS: readonly Action[] = (
  [
    ['across', words.actions.distributeAcross],
    ['down', words.actions.distributeDown],
  ] as const
).map(([axis, title]) =>
  action({
    id: `distribute-${axis}`,
    title,
    group: 'arrange',
    enabled: ({ editor }) => editor.getState().selection.nodes.size > 2,
    run: (context) => apply(context.editor, title, distribute(boxesOf(context), axis)),
  }),
);
