import { readCalled } from '@/editor/called';
import { apply, graphOf, select } from '@/editor/store';
import { isRefusal } from '@/graph/cut';
import { calledBy, dissolved } from '@/graph/dissolve';
import { inlined } from '@/graph/extract';
import { fill, words } from '@/text/language';
import { type ActionContext, action } from './action';
import { aboutOf, toldRefusal } from './extract';

/** Put what is in the body of a map, or in the graph that is called, in its place, where that means the same. */
export const inline = action({
  id: 'inline',
  title: words.actions.inline,
  group: 'arrange',
  keys: ['Shift+Alt+X'],
  enabled: ({ editor, scene }) => {
    const [id] = editor.getState().selection.nodes;
    const card = id ? scene().cards.get(id) : undefined;
    return editor.getState().selection.nodes.size === 1 && Boolean(card && (card.inside || card.kind === 'call'));
  },
  run: (context) => {
    const { editor, say, scene } = context;
    const id = [...editor.getState().selection.nodes][0] ?? '';
    const card = scene().cards.get(id);
    if (card?.kind === 'call') return inlineCalled(context, id);
    const moved = inlined(graphOf(editor), id, aboutOf(context));
    if (isRefusal(moved)) {
      say(toldRefusal(moved));
      return;
    }
    apply(editor, words.actions.inline, () => moved.graph);
    select(editor, { nodes: card?.node.body?.nodes?.map((node) => node.id) ?? [] });
    say(fill(words.canvas.said.inlined, { name: card?.title ?? id }));
  },
});

async function inlineCalled({ editor, say, scene }: ActionContext, id: string): Promise<void> {
  const card = scene().cards.get(id);
  const called = card && calledBy(card.node);
  if (!called) {
    say(toldRefusal({ reason: 'kind', names: [] }));
    return;
  }
  let moved: ReturnType<typeof dissolved>;
  try {
    const { graph, facts } = await readCalled(called);
    const about = (node: { readonly id: string }) => ({
      outputs: facts[node.id]?.ports_out ?? ['out'],
      trigger: facts[node.id]?.trigger ?? false,
    });
    moved = dissolved(graphOf(editor), id, graph, about, words.canvas.resultName);
  } catch (error) {
    say(error instanceof Error ? error.message : String(error));
    return;
  }
  if (isRefusal(moved)) {
    say(toldRefusal(moved));
    return;
  }
  const { graph, nodes } = moved;
  apply(editor, words.actions.inline, () => graph);
  select(editor, { nodes });
  say(fill(words.canvas.said.joined, { name: card.title }));
}
