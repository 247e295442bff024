/** Add a node as the palette does: where it was asked for, connected with what it was asked from. */

import type { ActionContext } from '@/actions/action';
import type { NodeTypeSummary } from '@/api/nodeTypes';
import { apply, FIRST_EMPTY, graphOf, select } from '@/editor/store';
import { connect, insertOnEdge } from '@/graph/edges';
import { freshId, freshName } from '@/graph/ids';
import type { NodeSpec, Point } from '@/graph/model';
import { addNode, moveNodes } from '@/graph/nodes';
import { freePlace, placesAt } from '@/graph/place';
import { CARD_HEIGHT, CARD_WIDTH } from '@/graph/shape';
import { fill, words } from '@/text/language';
import { type End, edgeBetween, named } from './ports';
import type { Scene } from './scene';

/** What the palette was opened for. */
export interface PaletteFor {
  /** Where, in graph coordinates. */
  readonly at?: Point;
  /** On this edge. */
  readonly edge?: string;
  /** At the other end of a wire from here. */
  readonly from?: End;
}

const STEP = CARD_WIDTH + 92;
/** Types that work without a parameter: nothing is asked when they are added. */
const PLAIN = new Set(['flow.noop', 'flow.manual', 'flow.merge', 'flow.stop']);

/** Add a node of a type, and say which id it has. */
export function addOf(context: ActionContext, type: NodeTypeSummary, wanted: PaletteFor): string {
  const { editor } = context;
  const graph = graphOf(editor);
  const { level, selection } = editor.getState();
  const id = freshId(graph, type.name.split('.').at(-1) ?? type.name);
  const node: NodeSpec = { id, use: type.use, name: freshName(graph, type.title) };
  const scene = context.scene();
  const places = placesAt(graph, level);
  const label = fill(words.canvas.said.added, { name: node.name ?? id });

  const wire = wanted.edge ? scene.wires.get(wanted.edge) : undefined;
  if (wire && type.ports_in.length && type.ports_out?.length !== 0) {
    const middle = wire.source.box;
    const at: Point = [
      Math.max(middle.left + STEP, (middle.left + wire.target.box.left) / 2),
      (middle.top + wire.target.box.top) / 2,
    ];
    const room = at[0] + STEP - wire.target.box.left;
    apply(editor, label, (old) => {
      const inserted = insertOnEdge(level, wire.id, node, at)(old);
      return room > 0 && wire.target.box.left > middle.left
        ? shiftedRight(scene, wire.target.id, room, inserted)
        : inserted;
    });
  } else {
    const chosen = selection.nodes.size === 1 ? scene.cards.get([...selection.nodes][0] ?? '') : undefined;
    const from: End | undefined =
      wanted.from ??
      (chosen && !wanted.at && type.ports_in.length && chosen.outputs.length
        ? { node: chosen.id, port: edgePort(scene, chosen.id), side: 'out' }
        : undefined);
    const card = from && scene.cards.get(from.node);
    const beside: Point | null = card ? [card.box.left + (from.side === 'out' ? STEP : -STEP), card.box.top] : null;
    const center = context.view.center();
    const at = freePlace(
      places.values(),
      wanted.at
        ? [
            wanted.at[0] - (from?.side === 'in' ? CARD_WIDTH : from ? 0 : CARD_WIDTH / 2),
            wanted.at[1] - CARD_HEIGHT / 2,
          ]
        : (beside ?? [center[0] - CARD_WIDTH / 2, center[1] - CARD_HEIGHT / 2]),
    );
    apply(editor, label, (old) => {
      const added = addNode(level, node, at)(old);
      if (!from || !card) return added;
      const port = named(card, from.side, from.port);
      const edge =
        from.side === 'out'
          ? { source: card.id, sourcePort: port, target: id, targetPort: null }
          : { source: id, sourcePort: null, target: card.id, targetPort: port };
      return connect(level, edge)(added);
    });
  }
  select(editor, { nodes: [id] });
  context.say(label);
  context.view.focus();
  requestAnimationFrame(() => context.view.reveal(id));
  if (!PLAIN.has(type.name)) editor.setState({ opened: id, openedField: FIRST_EMPTY });
  return id;
}

function edgePort(scene: Scene, id: string): string {
  const card = scene.cards.get(id);
  const used = new Set((scene.outgoing.get(id) ?? []).map((wire) => wire.sourcePort));
  return card?.outputs.find((port) => port !== 'error' && !used.has(port)) ?? card?.outputs[0] ?? 'out';
}

/** Make room: a node and all after it go to the right. */
function shiftedRight(scene: Scene, first: string, by: number, graph: ReturnType<typeof graphOf>) {
  const moved = new Map<string, Point>();
  const open = [first];
  const left = scene.cards.get(first)?.box.left ?? 0;
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    const card = scene.cards.get(id);
    if (!card || moved.has(id) || card.box.left < left) continue;
    moved.set(id, [card.box.left + by, card.box.top]);
    for (const wire of scene.outgoing.get(id) ?? []) open.push(wire.target.id);
  }
  return moveNodes(moved)(graph);
}

/** Connect two nodes by what fits, and say it. */
export function connectNodes(
  context: ActionContext,
  from: { readonly node: string; readonly port?: string | null },
  to: { readonly node: string; readonly port?: string | null },
): void {
  const scene = context.scene();
  const edge = edgeBetween(scene, from, to);
  if (!edge) return;
  const before = graphOf(context.editor);
  const label = fill(words.canvas.said.connected, {
    from: scene.cards.get(from.node)?.title ?? from.node,
    to: scene.cards.get(to.node)?.title ?? to.node,
  });
  apply(context.editor, label, connect(context.editor.getState().level, edge));
  context.say(graphOf(context.editor) === before ? words.canvas.said.already : label);
}
