/** Which cards are elements now: those in view with some room around, if they are not too many to be read. */

import type { Box } from '@/graph/shape';
import { overlaps } from '@/graph/shape';
import { boxOfView, type View } from './layer';
import type { Card, Scene, Wire } from './scene';
import { cardsIn } from './scene';

/** A level of so many nodes is elements at every zoom. */
const FEW = 120;
/** So many in view can be elements and still move smoothly. */
const MANY = 110;
const READABLE = 0.35;
/** Pixels around the view in which cards are elements already, and how far the view may go before that is seen to. */
const ROOM = 240;
const STEP = 110;

export interface InView {
  /** The part of the graph for which this holds. */
  readonly box: Box;
  readonly view: View;
  readonly detailed: boolean;
  readonly all: boolean;
  readonly cards: readonly Card[];
  readonly wires: readonly Wire[];
}

/** What is to be elements for a view of that size. */
export function inView(scene: Scene, view: View, width: number, height: number, always: ReadonlySet<string>): InView {
  const box = boxOfView(view, width, height, ROOM);
  const all = scene.cards.size <= FEW;
  if (all) {
    return { box, view, detailed: true, all, cards: [...scene.cards.values()], wires: [...scene.wires.values()] };
  }
  const seen = scene.cardGrid.in(boxOfView(view, width, height)).length;
  const detailed = view.zoom >= READABLE && seen <= MANY;
  if (!detailed) return { box, view, detailed, all, cards: [], wires: [] };
  const cards = cardsIn(scene, box);
  const shown = new Set(cards.map((card) => card.id));
  for (const id of always) {
    const card = scene.cards.get(id);
    if (card && !shown.has(id)) {
      shown.add(id);
      cards.push(card);
    }
  }
  const wires: Wire[] = [];
  for (const card of cards) {
    for (const wire of scene.outgoing.get(card.id) ?? []) if (shown.has(wire.target.id)) wires.push(wire);
  }
  return { box, view, detailed, all, cards, wires };
}

/** Whether what was in view is still right for another view of the same scene. */
export function stillInView(known: InView, view: View, width: number, height: number): boolean {
  if (known.all) {
    // Notes and frames come and go with the view even where all cards stay.
    return overlaps(known.box, boxOfView(view, width, height));
  }
  if (known.view.zoom !== view.zoom) return false;
  if (!known.detailed) return true;
  return Math.abs(known.view.x - view.x) < STEP && Math.abs(known.view.y - view.y) < STEP;
}
