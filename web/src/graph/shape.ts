/** The shapes of nodes and edges: sizes, where ports are, how an edge runs. The canvas, exports and arrows share them. */

import type { Point } from './model';

export const CARD_WIDTH = 168;
export const CARD_HEIGHT = 56;
const PORT_GAP = 22;

/** How high a card with so many ports on its fuller side is. */
export function cardHeight(inputs: number, outputs: number): number {
  const ports = Math.max(inputs, outputs);
  return ports <= 2 ? CARD_HEIGHT : 12 + ports * PORT_GAP;
}

/** How far below a card's top the port of that index is, of so many. */
export function portOffset(index: number, count: number, height: number): number {
  const gap = Math.min(PORT_GAP, height / Math.max(count, 1));
  return height / 2 + (index - (count - 1) / 2) * gap;
}

/** How much room the names of outputs take right of a card; one that is alone is not named. */
export function portNames(outputs: readonly string[]): number {
  return outputs.length > 1 ? 12 + 5.5 * Math.max(...outputs.map((port) => port.length)) : 0;
}

/** A cubic curve from a port at the right of a card to one at the left of another. */
export interface Curve {
  readonly from: Point;
  readonly control1: Point;
  readonly control2: Point;
  readonly to: Point;
}

/** How an edge runs; one that leads back beside its nodes swings around below them. */
export function curve(from: Point, to: Point): Curve {
  const [x1, y1] = from;
  const [x2, y2] = to;
  if (x2 >= x1 - 8) {
    const bend = Math.max(24, Math.min(120, (x2 - x1) / 2));
    return { from, control1: [x1 + bend, y1], control2: [x2 - bend, y2], to };
  }
  if (Math.abs(y2 - y1) > 90) {
    // Far below or above there is room between the two.
    const bend = 60 + Math.min(120, (x1 - x2) / 3);
    return { from, control1: [x1 + bend, y1], control2: [x2 - bend, y2], to };
  }
  const drop = 70 + Math.min(140, (x1 - x2) / 6);
  const low = Math.max(y1, y2) + drop;
  return { from, control1: [x1 + 110, low], control2: [x2 - 110, low], to };
}

/** The path of a curve as SVG writes it. */
export function pathOf({ from, control1, control2, to }: Curve): string {
  return `M${from[0]},${from[1]} C${control1[0]},${control1[1]} ${control2[0]},${control2[1]} ${to[0]},${to[1]}`;
}

/** The point of a curve at a part of its way. */
export function pointAt({ from, control1, control2, to }: Curve, part: number): Point {
  const rest = 1 - part;
  const [a, b, c, d] = [rest ** 3, 3 * rest * rest * part, 3 * rest * part * part, part ** 3];
  return [
    a * from[0] + b * control1[0] + c * control2[0] + d * to[0],
    a * from[1] + b * control1[1] + c * control2[1] + d * to[1],
  ];
}

/** A rectangle by its sides. */
export interface Box {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/** A box around a curve: around its control points, which hold it. */
export function boxOf({ from, control1, control2, to }: Curve): Box {
  return {
    left: Math.min(from[0], control1[0], control2[0], to[0]),
    top: Math.min(from[1], control1[1], control2[1], to[1]),
    right: Math.max(from[0], control1[0], control2[0], to[0]),
    bottom: Math.max(from[1], control1[1], control2[1], to[1]),
  };
}

/** Whether two boxes touch. */
export function overlaps(one: Box, other: Box): boolean {
  return one.left <= other.right && one.right >= other.left && one.top <= other.bottom && one.bottom >= other.top;
}

/** How far a point is from a curve, near enough for a click. */
export function distanceTo(line: Curve, [x, y]: Point): number {
  let best = Number.POSITIVE_INFINITY;
  let [px, py] = line.from;
  for (let step = 1; step <= 16; step++) {
    const [qx, qy] = pointAt(line, step / 16);
    const [dx, dy] = [qx - px, qy - py];
    const length = dx * dx + dy * dy || 1;
    const part = Math.max(0, Math.min(1, ((x - px) * dx + (y - py) * dy) / length));
    best = Math.min(best, Math.hypot(x - px - part * dx, y - py - part * dy));
    [px, py] = [qx, qy];
  }
  return best;
}
