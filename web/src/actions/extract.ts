import { apply, graphOf, select } from '@/editor/store';
import { type AboutOf, isRefusal, type Refusal } from '@/graph/cut';
import { extracted } from '@/graph/extract';
import type { Point } from '@/graph/model';
import { fill, words } from '@/text/language';
import { type ActionContext, action } from './action';
import { boxesOf } from './boxes';

/** What has to be known of nodes to move them between levels. */
export function aboutOf(context: ActionContext): AboutOf {
  return ({ id }) => {
    const card = context.scene().cards.get(id);
    const outputs = card?.outputs ?? context.editor.getState().checked?.facts[id]?.ports_out ?? ['out'];
    return { outputs, trigger: card?.kind === 'trigger' };
  };
}

/** Why nodes cannot be moved, in words. */
export function toldRefusal({ reason, names }: Refusal): string {
  return fill(words.canvas.refused[reason], { name: names[0] ?? '', other: names[1] ?? '' });
}

/** Where one node stands in the place of those that are chosen. */
export function middleOf(context: ActionContext): Point {
  const boxes = [...boxesOf(context).values()];
  const middle = (values: readonly number[]) => (Math.min(...values) + Math.max(...values)) / 2;
  return [middle(boxes.map((box) => box.left)), middle(boxes.map((box) => box.top))];
}

/** Move what is chosen into the body of a map, where that means the same. */
export const extract = action({
  id: 'extract',
  title: words.actions.extract,
  group: 'arrange',
  keys: ['Alt+X'],
  enabled: ({ editor }) => editor.getState().selection.nodes.size > 0,
  run: (context) => {
    const { editor, say } = context;
    const { level, selection } = editor.getState();
    const name = words.canvas.extractedName;
    const moved = extracted(graphOf(editor), level, selection.nodes, aboutOf(context), name, middleOf(context));
    if (isRefusal(moved)) {
      say(toldRefusal(moved));
      return;
    }
    apply(editor, words.actions.extract, () => moved.graph);
    select(editor, { nodes: [moved.node] });
    say(fill(words.canvas.said.extracted, { count: selection.nodes.size, name }));
  },
});
