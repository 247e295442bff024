import { graphOf } from '@/editor/store';
import { isRefusal, type Refusal } from '@/graph/cut';
import { type Separated, separated } from '@/graph/separate';
import { words } from '@/text/language';
import { type ActionContext, action } from './action';
import { aboutOf, middleOf, toldRefusal } from './extract';

/** What is chosen as a graph of its own with that id and name, or why it cannot be one. */
export function separatedNow(context: ActionContext, id: string, name: string): Separated | Refusal {
  const { editor } = context;
  const { level, selection } = editor.getState();
  const asked = { id, name, at: middleOf(context), result: words.canvas.resultName };
  return separated(graphOf(editor), level, selection.nodes, aboutOf(context), asked);
}

/** Make a graph of its own of what is chosen, and a call of it in its place, where that means the same. */
export const separate = action({
  id: 'separate',
  title: words.actions.separate,
  group: 'arrange',
  keys: ['Alt+G'],
  enabled: ({ editor }) => editor.getState().selection.nodes.size > 0,
  run: (context) => {
    const found = separatedNow(context, 'graph', words.canvas.extractedName);
    if (isRefusal(found)) context.say(toldRefusal(found));
    else context.open('separate');
  },
});
