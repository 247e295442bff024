import type { Box } from '@/graph/shape';
import type { ActionContext } from './action';

/** Where the nodes are that are chosen. */
export function boxesOf({ editor, scene }: ActionContext): ReadonlyMap<string, Box> {
  const boxes = new Map<string, Box>();
  for (const id of editor.getState().selection.nodes) {
    const card = scene().cards.get(id);
    if (card) boxes.set(id, card.box);
  }
  return boxes;
}
