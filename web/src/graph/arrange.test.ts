import Elk from 'elkjs/lib/elk.bundled.js';
import { describe, expect, test } from 'vitest';
import { arranged } from './arrange';
import { boxOfPlace, isIn, nested, placed, roomAround, stacked, wholeFrames } from './frames';
import type { Canvas, GraphSpec, Point } from './model';
import { type Box, CARD_HEIGHT, CARD_WIDTH, overlaps } from './shape';

// Without a worker there is none to end.
const elk = async () => Object.assign(new Elk(), { terminateWorker: () => undefined });

function card(id: string, [left, top]: Point) {
  const box: Box = { left, top, right: left + CARD_WIDTH, bottom: top + CARD_HEIGHT };
  return { id, box, width: CARD_WIDTH, height: CARD_HEIGHT, inputs: ['in'], outputs: ['out'] };
}

function drawing(places: { readonly [id: string]: Point }, edges: readonly (readonly [string, string])[]) {
  const cards = new Map(Object.entries(places).map(([id, at]) => [id, card(id, at)]));
  const wires = new Map(
    edges.map(([from, to]) => {
      const id = `${from} -> ${to}`;
      const [source, target] = [cards.get(from) ?? card(from, [0, 0]), cards.get(to) ?? card(to, [0, 0])];
      return [id, { id, source, target, sourcePort: 'out', targetPort: 'in' }];
    }),
  );
  return { cards, wires };
}

/** a -> b -> c -> d -> e in a row that is far too long; b and c are in a frame, which is in another one with d. */
const ROW = drawing({ a: [0, 0], b: [900, 400], c: [1300, 100], d: [1900, 250], e: [2600, 0] }, [
  ['a', 'b'],
  ['b', 'c'],
  ['c', 'd'],
  ['d', 'e'],
]);
const boxes = (...ids: readonly string[]) => ids.map((id) => ROW.cards.get(id)?.box as Box);
const frame = (box: Box) => ({
  title: '',
  at: [box.left, box.top] as Point,
  size: [box.right - box.left, box.bottom - box.top] as Point,
});
const INNER = frame(roomAround(boxes('b', 'c')));
const OUTER = frame(roomAround([...boxes('d'), boxOfPlace(INNER)]));
const CANVAS: Canvas = {
  frames: { outer: OUTER, inner: INNER, empty: { title: '', at: [5000, 5000], size: [300, 200] } },
  notes: {
    near: { text: '', at: [1300, 170], size: [160, 60] },
    away: { text: '', at: [2600, 900], size: [160, 60] },
  },
};

async function laidOut(canvas: Canvas, only?: ReadonlySet<string>) {
  const found = await arranged(ROW, only, canvas, elk);
  const cardAt = (id: string): Box => {
    const [left, top] = found.nodes.get(id) as Point;
    return { left, top, right: left + CARD_WIDTH, bottom: top + CARD_HEIGHT };
  };
  const frameAt = (id: string): Box => boxOfPlace(found.frames.get(id) as { at: Point; size: Point });
  return { found, cardAt, frameAt };
}

describe('what lies in frames', () => {
  test('is in the smallest one around it', () => {
    const nest = nested(CANVAS, ROW.cards.values());
    expect(nest.outermost).toEqual(['empty', 'outer']);
    expect(nest.frames.get('outer')).toEqual({ nodes: ['d'], notes: [], frames: ['inner'] });
    expect(nest.frames.get('inner')).toEqual({ nodes: ['b', 'c'], notes: ['near'], frames: [] });
  });

  test('of frames that cover each other one is in the other', () => {
    const nest = nested({ frames: { one: INNER, two: INNER } }, ROW.cards.values());
    expect(nest.outermost).toHaveLength(1);
    expect(nest.frames.get('two')?.nodes).toEqual(['b', 'c']);
  });

  test('is drawn on them, in whichever order the file names them', () => {
    expect(stacked({ frames: { inner: INNER, outer: OUTER } }).map(([id]) => id)).toEqual(['outer', 'inner']);
  });

  test('is laid out with its frame where all of it is chosen', () => {
    const nest = nested(CANVAS, ROW.cards.values());
    expect(wholeFrames(nest, () => true)).toEqual(['outer']);
    expect(wholeFrames(nest, (id) => id !== 'd')).toEqual(['inner']);
    expect(wholeFrames(nest, (id) => id === 'b')).toEqual([]);
  });
});

describe('tidying up', () => {
  test('keeps in each frame what it held, and nothing else gets in', async () => {
    const { cardAt, frameAt } = await laidOut(CANVAS);
    for (const id of ['b', 'c']) expect(isIn(cardAt(id), frameAt('inner'))).toBe(true);
    expect(isIn(frameAt('inner'), frameAt('outer'))).toBe(true);
    expect(isIn(cardAt('d'), frameAt('outer'))).toBe(true);
    expect(overlaps(cardAt('d'), frameAt('inner'))).toBe(false);
    for (const id of ['a', 'e']) expect(overlaps(cardAt(id), frameAt('outer'))).toBe(false);
    // A row of five with its frames is no longer than it must be.
    expect(cardAt('e').left).toBeLessThan(2000);
  });

  test('leaves frames that hold nothing, and notes outside of frames, where they are', async () => {
    const { found } = await laidOut(CANVAS);
    expect([...found.frames.keys()].sort()).toEqual(['inner', 'outer']);
    expect([...found.notes.keys()]).toEqual(['near']);
  });

  test('takes a note in a frame along with the node that it is nearest to', async () => {
    const { found, cardAt, frameAt } = await laidOut(CANVAS);
    const [x, y] = found.notes.get('near') as Point;
    // It was 14 below c.
    expect([x - cardAt('c').left, y - cardAt('c').bottom]).toEqual([0, 14]);
    expect(isIn({ left: x, top: y, right: x + 160, bottom: y + 60 }, frameAt('inner'))).toBe(true);
  });

  test('brings a note that is far from its node nearer', async () => {
    const far = { text: '', at: [1000, 470] as Point, size: [100, 20] as Point };
    const { found, cardAt } = await laidOut({ frames: { wide: OUTER }, notes: { far } });
    const [x, y] = found.notes.get('far') as Point;
    expect(x - cardAt('b').left).toBe(100);
    expect(y - cardAt('b').bottom).toBe(14);
  });

  test('of some nodes moves no frame that holds others, too, but lets it grow', async () => {
    const { found, cardAt, frameAt } = await laidOut(CANVAS, new Set(['a', 'c']));
    expect([...found.nodes.keys()].sort()).toEqual(['a', 'c']);
    expect(isIn(cardAt('c'), frameAt('inner'))).toBe(true);
    expect(isIn(boxOfPlace(INNER), frameAt('inner'))).toBe(true);
    expect(isIn(cardAt('c'), frameAt('outer'))).toBe(true);
  });

  test('without frames is as ever: in layers from left to right, begun at the corner', async () => {
    const { found } = await laidOut({});
    expect(found.nodes.get('a')).toEqual([0, 0]);
    const across = ['a', 'b', 'c', 'd', 'e'].map((id) => found.nodes.get(id)?.[0] ?? 0);
    expect(across).toEqual([...across].sort((one, other) => one - other));
  });

  test('is one edit, which passes over what is there no more', async () => {
    const { found } = await laidOut(CANVAS);
    const graph: GraphSpec = {
      pyagent: 1,
      id: 'g',
      nodes: [{ id: 'a', use: 'x.y@1' }],
      canvas: { frames: { outer: OUTER } },
    };
    const changed = placed(found)(graph);
    expect(Object.keys(changed.layout ?? {})).toEqual(['a']);
    expect(changed.canvas?.frames).toEqual({ outer: { title: '', ...found.frames.get('outer') } });
    expect(changed.canvas?.notes).toBeUndefined();
  });
});
