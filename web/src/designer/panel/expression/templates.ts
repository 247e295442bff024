/** Where the cursor is in a template, and how a field of an item is named in one. */

import type { Json } from '@/graph/model';
import { type Part, partsOf } from '@/graph/templates';

/** The code around a place in a template; null where that is text. */
export function codeAt(text: string, place: number): Part | null {
  return partsOf(text).find((part) => part.kind === 'code' && part.from <= place && place <= part.to) ?? null;
}

const NAME = /^[A-Za-z_$][\w$]*$/;

/** `.a["b c"][0]`: how JavaScript reads a path. */
export function accessor(path: readonly (string | number)[]): string {
  return path
    .map((part) =>
      typeof part === 'number' ? `[${part}]` : NAME.test(part) ? `.${part}` : `[${JSON.stringify(part)}]`,
    )
    .join('');
}

/** `$('Fetch').item.json`: how a node's item is read; the node's own input is `$json`. */
export function itemOf(node: string | null): string {
  return node === null ? '$json' : `$(${quoted(node)}).item.json`;
}

/** A JavaScript string in single quotes, as people write them in expressions. */
export function quoted(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'").replaceAll('\n', '\\n')}'`;
}

/** What a text field says when an expression is put into it: it is added to what is there. */
export function withExpression(old: Json | undefined, code: string): string {
  const expression = `{{ ${code} }}`;
  return typeof old === 'string' && old.trim() !== '' ? `${old}${/\s$/.test(old) ? '' : ' '}${expression}` : expression;
}

/** What the field that code reads is called: `$json.a["b c"]` reads `b c`; of an item as a whole null. */
export function readName(code: string): string | null {
  if (code.endsWith('.item.json')) return null;
  const found = /(?:\.([A-Za-z_$][\w$]*)|\[("(?:[^"\\]|\\.)*")\])$/.exec(code);
  if (!found) return null;
  return found[1] ?? (JSON.parse(found[2] ?? '""') as string);
}
