/** Templates: texts with `{{ code }}` in them. */

import type { Json, JsonObject } from './model';

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

/** What stands in strings and comments of code. */
export function quotedIn(code: string): string {
  const quotes = /(["'`])(?:\\[\s\S]|(?!\1)[^\\])*(?:\1|$)|\/\*[\s\S]*?(?:\*\/|$)|\/\/[^\n]*/g;
  return (code.match(quotes) ?? []).join('\n');
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

/** A text in which the code of each expression is another; what is never closed stays. */
export function withCode(text: string, change: (code: string) => string): string {
  if (!text.includes('{{')) return text;
  let fresh = '';
  let rest = 0;
  for (const { kind, from, to, closed } of partsOf(text)) {
    if (kind === 'text' || !closed) continue;
    fresh += text.slice(rest, from) + change(text.slice(from, to));
    rest = to;
  }
  return fresh + text.slice(rest);
}

/** A value with other texts in it; the same value where none changes. */
export function withTexts<T extends Json>(value: T, change: (text: string) => string): T {
  if (typeof value === 'string') return change(value) as T;
  if (Array.isArray(value)) {
    const list = value.map((one: Json) => withTexts(one, change));
    return (list.every((one, index) => one === value[index]) ? value : list) as T;
  }
  if (value !== null && typeof value === 'object') {
    let fresh: { [key: string]: Json } | null = null;
    for (const [key, one] of Object.entries(value)) {
      const changed = withTexts(one, change);
      if (changed === one) continue;
      fresh ??= { ...(value as JsonObject) };
      fresh[key] = changed;
    }
    return (fresh ?? value) as T;
  }
  return value;
}

/** The code of the expression that is all of a text; null where it is more than that, or none. */
export function onlyCode(text: string): string | null {
  const [first, ...more] = partsOf(text);
  if (first?.kind !== 'code' || !first.closed) return null;
  return more.every(({ from, to }) => /^\n*$/.test(text.slice(from, to))) ? text.slice(first.from, first.to) : null;
}
