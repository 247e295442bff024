/** Where the keyboard goes from a node: along edges, among siblings, else to what is nearest that way. */

import type { Point } from '@/graph/model';
import type { Card, Scene } from './scene';

export type Direction = 'left' | 'right' | 'up' | 'down';

/** The next card in a direction; from nowhere, the one nearest to a point. */
export function nextTo(scene: Scene, from: string | null, way: Direction, center: Point): Card | null {
  const card = from === null ? undefined : scene.cards.get(from);
  if (!card) return nearest(scene, center, () => true);
  if (way === 'right' || way === 'left') {
    const wires = (way === 'right' ? scene.outgoing : scene.incoming).get(card.id) ?? [];
    const ends = wires.map((wire) => (way === 'right' ? wire.target : wire.source));
    const straight = ends.find((end) => end !== card);
    if (straight) return straight;
  } else {
    const sibling = amongSiblings(scene, card, way);
    if (sibling) return sibling;
  }
  const [x, y] = middle(card);
  return nearest(scene, [x, y], (other) => {
    const [dx, dy] = [middle(other)[0] - x, middle(other)[1] - y];
    if (other === card) return false;
    if (way === 'right') return dx > 0 && Math.abs(dy) <= dx;
    if (way === 'left') return dx < 0 && Math.abs(dy) <= -dx;
    return way === 'down' ? dy > 0 && Math.abs(dx) <= dy * 2 : dy < 0 && Math.abs(dx) <= -dy * 2;
  });
}

/** The next card above or below of those that share where they come from or what they lead to. */
function amongSiblings(scene: Scene, card: Card, way: 'up' | 'down'): Card | null {
  const found = new Set<Card>();
  for (const wire of scene.incoming.get(card.id) ?? []) {
    for (const other of scene.outgoing.get(wire.source.id) ?? []) found.add(other.target);
  }
  for (const wire of scene.outgoing.get(card.id) ?? []) {
    for (const other of scene.incoming.get(wire.target.id) ?? []) found.add(other.source);
  }
  found.delete(card);
  const y = middle(card)[1];
  const beyond = [...found].filter((other) => (way === 'down' ? middle(other)[1] > y : middle(other)[1] < y));
  beyond.sort((one, other) => Math.abs(middle(one)[1] - y) - Math.abs(middle(other)[1] - y));
  return beyond[0] ?? null;
}

function nearest(scene: Scene, [x, y]: Point, choose: (card: Card) => boolean): Card | null {
  let best: Card | null = null;
  let least = Number.POSITIVE_INFINITY;
  for (const card of scene.cards.values()) {
    const [cx, cy] = middle(card);
    const distance = Math.hypot(cx - x, cy - y);
    if (distance < least && choose(card)) {
      best = card;
      least = distance;
    }
  }
  return best;
}

function middle(card: Card): Point {
  return [(card.box.left + card.box.right) / 2, (card.box.top + card.box.bottom) / 2];
}
