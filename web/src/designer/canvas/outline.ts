/** The order in which a graph is told: as it runs, what is after what leads to it. */

import { columnsOf } from '@/graph/place';
import type { Card, Scene } from './scene';

export interface Row {
  readonly card: Card;
  /** Labels of what it leads to. */
  readonly leads: readonly string[];
  /** Labels of what it leads back to. */
  readonly back: readonly string[];
}

/** The rows of a level. */
export function outlineOf(scene: Scene): readonly Row[] {
  const columns = columnsOf(scene.graph, scene.level);
  const column = (card: Card) => columns.get(card.id) ?? 0;
  const cards = [...scene.cards.values()].sort(
    (one, other) => column(one) - column(other) || one.box.top - other.box.top || one.box.left - other.box.left,
  );
  return cards.map((card) => {
    const leads = new Set<string>();
    const back = new Set<string>();
    for (const wire of scene.outgoing.get(card.id) ?? []) {
      (column(wire.target) > column(card) ? leads : back).add(wire.target.title);
    }
    return { card, leads: [...leads], back: [...back] };
  });
}
