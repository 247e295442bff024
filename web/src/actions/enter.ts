import { select } from '@/editor/store';
import { fill, words } from '@/text/language';
import { action } from './action';

/** Look into a map, or at the graph that is called. */
export const enter = action({
  id: 'enter',
  title: words.actions.enter,
  group: 'node',
  keys: ['Mod+ArrowDown'],
  reads: true,
  enabled: ({ editor, scene }) => {
    const [id] = editor.getState().selection.nodes;
    const card = id ? scene().cards.get(id) : undefined;
    return card !== undefined && (card.kind === 'map' || card.kind === 'call');
  },
  run: (context) => {
    const { editor, say, open } = context;
    const [id] = editor.getState().selection.nodes;
    const card = id ? context.scene().cards.get(id) : undefined;
    if (!card) return;
    const called = card.node.with?.graph;
    if (!card.node.body && typeof called === 'string' && !called.includes('{{')) {
      open('graph', { graph: called, node: card.id });
      return;
    }
    if (card.kind !== 'map' && !card.node.body) {
      say(fill(words.canvas.said.callsNothing, { name: card.title }));
      return;
    }
    editor.setState({ level: card.id });
    select(editor, {});
    say(fill(words.canvas.said.entered, { name: card.title }));
    requestAnimationFrame(() => context.view.fit());
  },
});
