/** Names of steps: which frame, node and iteration a key such as `code()/each[2]/check@1.3` speaks of. */

interface StepName {
  /** The map's element or called graph that the step is in; empty for the run's own graph. */
  readonly frame: string;
  readonly node: string;
  /** Iterations of the loops around it, outermost first: `1.3`. */
  readonly scope: string;
}

/** A step's name by its parts. */
export function parseStep(step: string): StepName {
  const slash = step.lastIndexOf('/');
  const [node = '', scope = ''] = step.slice(slash + 1).split('@');
  return { frame: slash < 0 ? '' : step.slice(0, slash), node, scope };
}

/** The step whose body or called graph a frame is; null for the run's own. */
export function ownerOf(frame: string): string | null {
  if (!frame) return null;
  return frame.endsWith('()') ? frame.slice(0, -2) : frame.replace(/\[\d+\]$/, '');
}

/** A frame without its elements and iterations: all elements of a map have one picture. */
export function shapeOf(frame: string): string {
  return frame.replace(/\[\d+\]/g, '').replace(/@[\d.]+/g, '');
}

/** Whose picture a step of a frame of this shape is drawn in: the innermost of the graphs that the run knows. */
export function pictureOf(shape: string, known: Iterable<string>): string {
  let best = '';
  let length = -1;
  for (const frame of known) {
    const its = shapeOf(frame);
    const inside = its === '' || shape === its || shape.startsWith(`${its}/`);
    if (inside && its.length > length) {
      best = frame;
      length = its.length;
    }
  }
  return best;
}

/** The elements and iterations of a step, for people: `[2] #3`. */
export function placeOf(step: string): string {
  const { frame, scope } = parseStep(step);
  const elements = [...frame.matchAll(/\[(\d+)\]/g)].map(([, element]) => `[${element}]`);
  return [...elements, scope && `#${scope}`].filter(Boolean).join(' ');
}

/** Changes when the items of a step may have. */
export function versionOf(step: {
  readonly status: string;
  readonly attempt: number;
  readonly items_in: number;
  readonly items_out: { readonly [port: string]: number };
}): string {
  const items = Object.values(step.items_out).reduce((sum, count) => sum + count, 0);
  return `${step.status}/${step.attempt}/${step.items_in}/${items}`;
}
