/** Templates: texts with `{{ code }}` in them, and how a field of an item is named in one. */

import type { Json } from '@/graph/model';

/** A piece of a template: text, or the code between braces. */
export interface Part {
  readonly kind: 'text' | 'code';
  /** Where it begins; code begins behind its braces. */
  readonly from: number;
  readonly to: number;
  /** False: a `{{` that is never closed. */
  readonly closed: boolean;
}

/** Whether an expression stands anywhere in a value. */
export function hasTemplate(value: Json | undefined): boolean {
  if (typeof value === 'string') return value.includes('{{');
  if (value === null || typeof value !== 'object') return false;
  return Object.values(value).some((part) => hasTemplate(part as Json));
}

/** The pieces of a template in order. Braces in strings, comments and objects do not end an expression. */
export function partsOf(text: string): readonly Part[] {
  const parts: Part[] = [];
  let at = 0;
  let begin = 0;
  while (at < text.length) {
    const open = text.indexOf('{{', at);
    if (open < 0) break;
    if (text[open - 1] === '\\') {
      at = open + 2;
      continue;
    }
    if (open > begin) parts.push({ kind: 'text', from: begin, to: open, closed: true });
    const close = endOfCode(text, open + 2);
    parts.push({ kind: 'code', from: open + 2, to: close < 0 ? text.length : close, closed: close >= 0 });
    begin = close < 0 ? text.length : close + 2;
    at = begin;
  }
  if (begin < text.length) parts.push({ kind: 'text', from: begin, to: text.length, closed: true });
  return parts;
}

/** Where the `}}` is that ends the code which begins there; -1 where there is none. */
function endOfCode(text: string, from: number): number {
  let depth = 0;
  for (let at = from; at < text.length; at++) {
    const char = text[at];
    if (char === '"' || char === "'" || char === '`') {
      for (at++; at < text.length && text[at] !== char; at++) if (text[at] === '\\') at++;
    } else if (char === '/' && text[at + 1] === '*') {
      const end = text.indexOf('*/', at + 2);
      if (end < 0) return -1;
      at = end + 1;
    } else if (char === '{') depth++;
    else if (char === '}') {
      if (depth === 0) {
        if (text[at + 1] === '}') return at;
      } else depth--;
    }
  }
  return -1;
}

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
