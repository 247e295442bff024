/**
 * The canvas layer: draws all that React Flow does not hold, on a bitmap larger than what is seen.
 *
 * While the view moves the bitmap only slides or scales, which costs next to nothing; it is drawn again when the view
 * leaves it, when the zoom has gone far, and once when the view rests.
 */

import { stacked } from '@/graph/frames';
import type { Box } from '@/graph/shape';
import { domainColor, type Palette, paletteOf, strong, tint } from './colors';
import type { Card, Scene, Wire } from './scene';
import type { Statuses } from './status';
import { toneOf } from './status';

/** Where the view is: screen = graph * zoom + (x, y). */
export interface View {
  readonly x: number;
  readonly y: number;
  readonly zoom: number;
}

/** How much more than the view the bitmap holds at each side, as a part of it. */
const MARGIN = 0.4;
const FAR_ZOOM = 1.6;
const REST = 140;
/** Below this zoom wires are straight and cards plain. */
const PLAIN = 0.28;
const TITLES = 0.42;

interface Drawn extends View {
  readonly box: Box;
}

export interface Shown {
  readonly scene: Scene;
  readonly dark: boolean;
  readonly selected: ReadonlySet<string>;
  readonly selectedWires: ReadonlySet<string>;
  /** Drawn elsewhere at this moment: what is dragged. */
  readonly without: ReadonlySet<string>;
  readonly marks: ReadonlyMap<string, string> | null;
}

export class Layer {
  private readonly context: CanvasRenderingContext2D;
  private view: View = { x: 0, y: 0, zoom: 1 };
  private drawn: Drawn | null = null;
  private shown: Shown | null = null;
  private enabled = true;
  private width = 0;
  private height = 0;
  private ratio = 1;
  private timer: ReturnType<typeof setTimeout> | null = null;
  private readonly unwatch: () => void;

  constructor(
    private readonly canvas: HTMLCanvasElement,
    private readonly statuses: Statuses,
  ) {
    const context = canvas.getContext('2d');
    if (!context) throw new Error('This browser draws on no canvas.');
    this.context = context;
    this.unwatch = statuses.watch((changed) => this.repaint(changed));
  }

  close(): void {
    if (this.timer) clearTimeout(this.timer);
    this.unwatch();
  }

  /** The size of what is seen, in CSS pixels. */
  resize(width: number, height: number): void {
    if (width === this.width && height === this.height) return;
    this.width = width;
    this.height = height;
    this.drawn = null;
    this.move(this.view);
  }

  /** Draw another scene, or the same one otherwise. */
  show(shown: Shown, enabled: boolean): void {
    this.shown = shown;
    this.enabled = enabled;
    this.canvas.style.display = enabled ? '' : 'none';
    this.draw();
  }

  /** Follow the view. */
  move(view: View): void {
    this.view = view;
    if (!this.enabled || !this.shown || !this.width) return;
    const { drawn } = this;
    if (!drawn) {
      this.draw();
      return;
    }
    const scale = view.zoom / drawn.zoom;
    if (scale > FAR_ZOOM || scale < 1 / FAR_ZOOM || !this.covers(drawn)) {
      this.draw();
      return;
    }
    this.place(drawn);
    if (scale !== 1) this.later();
  }

  private covers(drawn: Drawn): boolean {
    const seen = boxOfView(this.view, this.width, this.height);
    const all = this.shown?.scene.bounds;
    if (!all) return true;
    // What is beyond the graph needs no bitmap.
    const left = Math.max(seen.left, all.left);
    const right = Math.min(seen.right, all.right);
    const top = Math.max(seen.top, all.top);
    const bottom = Math.min(seen.bottom, all.bottom);
    if (left >= right || top >= bottom) return true;
    return left >= drawn.box.left && right <= drawn.box.right && top >= drawn.box.top && bottom <= drawn.box.bottom;
  }

  private place(drawn: Drawn): void {
    const scale = this.view.zoom / drawn.zoom;
    const x = this.view.x + drawn.box.left * this.view.zoom;
    const y = this.view.y + drawn.box.top * this.view.zoom;
    this.canvas.style.transform = `translate(${x}px, ${y}px) scale(${scale})`;
  }

  private later(): void {
    if (this.timer) clearTimeout(this.timer);
    this.timer = setTimeout(() => this.draw(), REST);
  }

  private draw(): void {
    if (this.timer) clearTimeout(this.timer);
    this.timer = null;
    const { shown, view, width, height, canvas, context } = this;
    if (!shown || !this.enabled || !width || !height) return;
    this.ratio = Math.min(window.devicePixelRatio || 1, 2);
    const wide = Math.ceil(width * (1 + 2 * MARGIN));
    const high = Math.ceil(height * (1 + 2 * MARGIN));
    const [pixelsWide, pixelsHigh] = [Math.round(wide * this.ratio), Math.round(high * this.ratio)];
    if (canvas.width !== pixelsWide || canvas.height !== pixelsHigh) {
      canvas.width = pixelsWide;
      canvas.height = pixelsHigh;
      canvas.style.width = `${wide}px`;
      canvas.style.height = `${high}px`;
    }
    const left = (-view.x - width * MARGIN) / view.zoom;
    const top = (-view.y - height * MARGIN) / view.zoom;
    const box = { left, top, right: left + wide / view.zoom, bottom: top + high / view.zoom };
    this.drawn = { ...view, box };
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, pixelsWide, pixelsHigh);
    const scale = view.zoom * this.ratio;
    context.setTransform(scale, 0, 0, scale, -left * scale, -top * scale);
    paintFrames(context, shown, box);
    paintWires(context, shown, box, view.zoom);
    paintCards(context, shown, cardsOf(shown, box), view.zoom, this.statuses);
    this.place(this.drawn);
  }

  /** Paint cards over themselves: their status is another. */
  private repaint(changed: readonly string[]): void {
    const { shown, drawn, context } = this;
    if (!shown || !drawn || !this.enabled) return;
    const cards: Card[] = [];
    for (const id of changed) {
      const card = shown.scene.cards.get(id);
      if (card && !shown.without.has(id) && touchesBox(card.box, drawn.box)) cards.push(card);
    }
    if (!cards.length) return;
    const scale = drawn.zoom * this.ratio;
    context.setTransform(scale, 0, 0, scale, -drawn.box.left * scale, -drawn.box.top * scale);
    paintCards(context, shown, cards, drawn.zoom, this.statuses);
  }
}

/** The part of the graph that a view of that size shows. */
export function boxOfView(view: View, width: number, height: number, margin = 0): Box {
  return {
    left: (-view.x - margin) / view.zoom,
    top: (-view.y - margin) / view.zoom,
    right: (width + margin - view.x) / view.zoom,
    bottom: (height + margin - view.y) / view.zoom,
  };
}

function touchesBox(one: Box, other: Box): boolean {
  return one.left <= other.right && one.right >= other.left && one.top <= other.bottom && one.bottom >= other.top;
}

function cardsOf(shown: Shown, box: Box): Card[] {
  const found: Card[] = [];
  for (const id of shown.scene.cardGrid.in(box)) {
    const card = shown.scene.cards.get(id);
    if (card && !shown.without.has(id)) found.push(card);
  }
  return found;
}

function paintFrames(context: CanvasRenderingContext2D, { scene, dark }: Shown, box: Box): void {
  if (scene.level !== null) return;
  const all = [
    ...stacked(scene.graph.canvas).map(([, frame]) => frame),
    ...Object.values(scene.graph.canvas?.notes ?? {}),
  ];
  for (const one of all) {
    const [x, y] = one.at;
    const [width, height] = one.size;
    if (!touchesBox({ left: x, top: y, right: x + width, bottom: y + height }, box)) continue;
    context.fillStyle = tint(one.color ?? ('text' in one ? 'yellow' : 'gray'), dark);
    context.globalAlpha = 'text' in one ? 1 : 0.5;
    context.fillRect(x, y, width, height);
    context.globalAlpha = 1;
  }
}

function paintWires(context: CanvasRenderingContext2D, shown: Shown, box: Box, zoom: number): void {
  const { scene } = shown;
  const palette = paletteOf(shown.dark);
  const plain = zoom < PLAIN;
  const chosen: Wire[] = [];
  context.strokeStyle = palette.wire;
  context.lineWidth = plain ? 1 / zoom : Math.max(1.5, 1 / zoom);
  context.globalAlpha = plain ? 0.7 : 1;
  // Paths of a few hundred lines each are filled faster than one of thousands.
  let count = 0;
  context.beginPath();
  for (const id of scene.wireGrid.in(box)) {
    const wire = scene.wires.get(id);
    if (!wire || shown.without.has(wire.source.id) || shown.without.has(wire.target.id)) continue;
    if (shown.selectedWires.has(id)) {
      chosen.push(wire);
      continue;
    }
    const { from, control1, control2, to } = wire.line;
    context.moveTo(from[0], from[1]);
    if (plain) context.lineTo(to[0], to[1]);
    else context.bezierCurveTo(control1[0], control1[1], control2[0], control2[1], to[0], to[1]);
    if (++count % 64 === 0) {
      context.stroke();
      context.beginPath();
    }
  }
  context.stroke();
  context.globalAlpha = 1;
  if (!chosen.length) return;
  context.strokeStyle = palette.chosen;
  context.lineWidth = Math.max(2.5, 2 / zoom);
  context.beginPath();
  for (const { line } of chosen) {
    context.moveTo(line.from[0], line.from[1]);
    context.bezierCurveTo(
      line.control1[0],
      line.control1[1],
      line.control2[0],
      line.control2[1],
      line.to[0],
      line.to[1],
    );
  }
  context.stroke();
}

function paintCards(
  context: CanvasRenderingContext2D,
  shown: Shown,
  cards: readonly Card[],
  zoom: number,
  statuses: Statuses,
): void {
  const palette = paletteOf(shown.dark);
  if (zoom < PLAIN) {
    for (const card of cards) {
      context.fillStyle = plainColor(card, shown, statuses, palette);
      context.fillRect(card.box.left, card.box.top, card.width, card.height);
    }
    outline(context, shown, cards, palette, zoom);
    return;
  }
  context.lineWidth = 1;
  for (const card of cards) {
    const { left, top } = card.box;
    context.fillStyle = card.color ? tint(card.color, shown.dark) : palette.card;
    context.globalAlpha = 1;
    context.beginPath();
    context.roundRect(left, top, card.width, card.height, 12);
    context.fill();
    const tone = toneOf(statuses.of(card.id)?.status);
    context.lineWidth = tone === 'none' ? 1 : 2.5;
    context.strokeStyle = edgeColor(card, shown, statuses, palette);
    context.stroke();
    context.fillStyle = card.installed ? domainColor(card.domain, shown.dark) : palette.tones.failed;
    context.globalAlpha = card.node.disabled ? 0.35 : 0.9;
    context.beginPath();
    context.roundRect(left + 10, top + card.height / 2 - 16, 32, 32, 8);
    context.fill();
    if (zoom >= TITLES) {
      context.fillStyle = palette.text;
      context.font = '600 13px Inter, system-ui, sans-serif';
      context.textBaseline = 'middle';
      context.fillText(cut(card.title, 16), left + 52, top + card.height / 2 - 8);
      context.fillStyle = palette.dim;
      context.font = '11px Inter, system-ui, sans-serif';
      context.fillText(cut(card.subtitle, 18), left + 52, top + card.height / 2 + 9);
    }
  }
  context.globalAlpha = 1;
  outline(context, shown, cards, palette, zoom);
}

function outline(
  context: CanvasRenderingContext2D,
  shown: Shown,
  cards: readonly Card[],
  palette: Palette,
  zoom: number,
): void {
  if (!shown.selected.size) return;
  context.strokeStyle = palette.chosen;
  context.lineWidth = Math.max(3, 2 / zoom);
  for (const card of cards) {
    if (shown.selected.has(card.id)) context.strokeRect(card.box.left, card.box.top, card.width, card.height);
  }
}

function plainColor(card: Card, shown: Shown, statuses: Statuses, palette: Palette): string {
  const mark = shown.marks?.get(card.id);
  if (mark) return mark;
  const tone = toneOf(statuses.of(card.id)?.status);
  if (tone !== 'none') return palette.tones[tone];
  if (card.errors || !card.installed) return palette.tones.failed;
  if (card.node.disabled) return palette.line;
  return card.color ? strong(card.color) : domainColor(card.domain, shown.dark);
}

function edgeColor(card: Card, shown: Shown, statuses: Statuses, palette: Palette): string {
  const mark = shown.marks?.get(card.id);
  if (mark) return mark;
  const tone = toneOf(statuses.of(card.id)?.status);
  if (tone !== 'none') return palette.tones[tone];
  return card.errors ? palette.tones.failed : palette.line;
}

function cut(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length - 1)}…` : text;
}
