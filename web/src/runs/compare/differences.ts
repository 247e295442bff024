/** Where two values, and two runs of a step, are not the same. */

import type { Schemas } from '@/api/client';

export interface ValueDifference {
  /** `items[3].name`; empty for the value as a whole. */
  readonly path: string;
  /** Undefined where it has none. */
  readonly a: unknown;
  readonly b: unknown;
}

const MOST = 200;

/** The innermost places at which two JSON values differ, the first two hundred. */
export function differences(a: unknown, b: unknown): readonly ValueDifference[] {
  const found: ValueDifference[] = [];
  walk('', a, b, found);
  return found;
}

function walk(path: string, a: unknown, b: unknown, found: ValueDifference[]): void {
  if (found.length >= MOST || Object.is(a, b)) return;
  if (Array.isArray(a) && Array.isArray(b)) {
    for (let at = 0; at < Math.max(a.length, b.length); at += 1) walk(`${path}[${at}]`, a[at], b[at], found);
  } else if (isObject(a) && isObject(b)) {
    for (const name of new Set([...Object.keys(a), ...Object.keys(b)])) {
      walk(path ? `${path}.${name}` : name, own(a, name), own(b, name), found);
    }
  } else found.push({ path, a, b });
}

function own(value: Record<string, unknown>, name: string): unknown {
  return Object.hasOwn(value, name) ? value[name] : undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}

/** Whether a step came to something else; how long it took does not count. */
export function stepDiffers(step: Schemas['StepComparison']): boolean {
  if (!step.a || !step.b) return true;
  return (
    step.a.status !== step.b.status ||
    step.inputs_equal === false ||
    step.outputs_equal === false ||
    JSON.stringify(step.a.items_out) !== JSON.stringify(step.b.items_out)
  );
}
