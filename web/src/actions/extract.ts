import { apply, graphOf, select } from '@/editor/store';
import { extracted, isRefusal, type Refusal } from '@/graph/extract';
import { fill, words } from '@/text/language';
import { type ActionContext, action } from './action';
import { boxesOf } from './boxes';

/** What has to be known of nodes to move them between levels. */
export function aboutOf(context: ActionContext) {
  return (id: string) => {
    const card = context.scene().cards.get(id);
    const outputs = card?.outputs ?? context.editor.getState().checked?.facts[id]?.ports_out ?? ['out'];
    return { outputs, trigger: card?.kind === 'trigger' };
  };
}

/** Why nodes cannot be moved, in words. */
export function toldRefusal({ reason, names }: Refusal): string {
  return fill(words.canvas.refused[reason], { name: names[0] ?? '', other: names[1] ?? '' });
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
    const boxes = [...boxesOf(context).values()];
    const middle = (low: number[], high: number[]) => (Math.min(...low) + Math.max(...high)) / 2;
    const at = [
      middle(
        boxes.map((box) => box.left),
        boxes.map((box) => box.left),
      ),
      middle(
        boxes.map((box) => box.top),
        boxes.map((box) => box.top),
      ),
    ] as const;
    const name = words.canvas.extractedName;
    const moved = extracted(graphOf(editor), level, selection.nodes, aboutOf(context), name, at);
    if (isRefusal(moved)) {
      say(toldRefusal(moved));
      return;
    }
    apply(editor, words.actions.extract, () => moved.graph);
    select(editor, { nodes: [moved.node] });
    say(fill(words.canvas.said.extracted, { count: selection.nodes.size, name }));
  },
});
