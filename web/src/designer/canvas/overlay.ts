/** What is dragged and is no element: drawn anew each frame, above the bitmap that has been drawn without it. */

import { curve } from '@/graph/shape';
import { domainColor, paletteOf } from './colors';
import type { Drag } from './context';
import type { View } from './layer';
import type { Card, Scene } from './scene';
import type { InView } from './window';

interface Dragged {
  readonly scene: Scene;
  readonly dark: boolean;
  readonly drag: Drag;
  readonly elements: InView;
}

export class Overlay {
  private readonly context: CanvasRenderingContext2D;
  private view: View = { x: 0, y: 0, zoom: 1 };
  private dragged: Dragged | null = null;
  private drawn = false;
  private width = 0;
  private height = 0;

  constructor(private readonly canvas: HTMLCanvasElement) {
    const context = canvas.getContext('2d');
    if (!context) throw new Error('This browser draws on no canvas.');
    this.context = context;
    canvas.style.display = 'none';
  }

  resize(width: number, height: number): void {
    this.width = width;
    this.height = height;
  }

  move(view: View): void {
    this.view = view;
    if (this.dragged) this.draw();
  }

  /** Show what is dragged; null when nothing is. */
  show(dragged: Dragged | null): void {
    this.dragged = dragged;
    if (dragged) this.draw();
    else if (this.drawn) {
      this.drawn = false;
      this.canvas.style.display = 'none';
    }
  }

  private draw(): void {
    const { dragged, canvas, context, view } = this;
    if (!dragged) return;
    const ratio = Math.min(window.devicePixelRatio || 1, 2);
    const [wide, high] = [Math.round(this.width * ratio), Math.round(this.height * ratio)];
    if (canvas.width !== wide || canvas.height !== high) {
      canvas.width = wide;
      canvas.height = high;
      canvas.style.width = `${this.width}px`;
      canvas.style.height = `${this.height}px`;
    }
    if (!this.drawn) canvas.style.display = '';
    this.drawn = true;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, wide, high);
    context.setTransform(view.zoom * ratio, 0, 0, view.zoom * ratio, view.x * ratio, view.y * ratio);
    this.paint(dragged);
  }

  private paint({ scene, dark, drag, elements }: Dragged): void {
    const { context, view } = this;
    const palette = paletteOf(dark);
    const [dx, dy] = drag.shift;
    const asElements = new Set(elements.cards.map((card) => card.id));
    const seen = new Set<string>();
    context.strokeStyle = palette.chosen;
    context.lineWidth = Math.max(1.5, 1 / view.zoom);
    context.beginPath();
    for (const id of drag.nodes) {
      for (const wire of [...(scene.incoming.get(id) ?? []), ...(scene.outgoing.get(id) ?? [])]) {
        if (seen.has(wire.id) || (asElements.has(wire.source.id) && asElements.has(wire.target.id))) continue;
        seen.add(wire.id);
        const [from, to] = [wire.line.from, wire.line.to];
        const [a, b] = [drag.nodes.has(wire.source.id), drag.nodes.has(wire.target.id)];
        const line = curve(a ? [from[0] + dx, from[1] + dy] : from, b ? [to[0] + dx, to[1] + dy] : to);
        context.moveTo(...line.from);
        context.bezierCurveTo(...line.control1, ...line.control2, ...line.to);
      }
    }
    context.stroke();
    context.lineWidth = Math.max(2, 1.5 / view.zoom);
    for (const id of drag.nodes) {
      const card: Card | undefined = scene.cards.get(id);
      if (!card || asElements.has(id)) continue;
      context.fillStyle = domainColor(card.domain, dark);
      context.fillRect(card.box.left + dx, card.box.top + dy, card.width, card.height);
      context.strokeRect(card.box.left + dx, card.box.top + dy, card.width, card.height);
    }
  }
}
