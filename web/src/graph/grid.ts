/** What is where: boxes in the cells of a grid, so that a window on thousands of them costs what it shows. */

import type { Box } from './shape';
import { overlaps } from './shape';

const CELL = 512;
/** A box over more cells than these is looked at each time instead. */
const MANY = 64;

interface Entry<T> {
  readonly box: Box;
  readonly value: T;
  /** The last question that has met this entry, so that it answers once. */
  seen: number;
}

export class Grid<T> {
  private readonly cells = new Map<number, Entry<T>[]>();
  private readonly large: Entry<T>[] = [];
  private question = 0;

  /** Put a value where its box is. */
  add(box: Box, value: T): void {
    const entry: Entry<T> = { box, value, seen: 0 };
    const [left, top, right, bottom] = cellsOf(box);
    if ((right - left + 1) * (bottom - top + 1) > MANY) {
      this.large.push(entry);
      return;
    }
    for (let x = left; x <= right; x++) {
      for (let y = top; y <= bottom; y++) {
        const key = keyOf(x, y);
        const cell = this.cells.get(key);
        if (cell) cell.push(entry);
        else this.cells.set(key, [entry]);
      }
    }
  }

  /** The values whose boxes touch a box, each once. */
  in(box: Box): T[] {
    const found: T[] = [];
    const question = ++this.question;
    const meet = (entries: readonly Entry<T>[]): void => {
      for (const entry of entries) {
        if (entry.seen === question) continue;
        entry.seen = question;
        if (overlaps(entry.box, box)) found.push(entry.value);
      }
    };
    meet(this.large);
    const [left, top, right, bottom] = cellsOf(box);
    if ((right - left + 1) * (bottom - top + 1) > this.cells.size) {
      for (const cell of this.cells.values()) meet(cell);
      return found;
    }
    for (let x = left; x <= right; x++) {
      for (let y = top; y <= bottom; y++) {
        const cell = this.cells.get(keyOf(x, y));
        if (cell) meet(cell);
      }
    }
    return found;
  }
}

function cellsOf(box: Box): [number, number, number, number] {
  return [
    Math.floor(box.left / CELL),
    Math.floor(box.top / CELL),
    Math.floor(box.right / CELL),
    Math.floor(box.bottom / CELL),
  ];
}

function keyOf(x: number, y: number): number {
  return (x + 1_000_000) * 4_000_000 + (y + 1_000_000);
}
