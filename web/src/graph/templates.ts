/** Where the expressions in a text are: `{{ … }}`, with braces and quotes inside of them. */

const OPENS = '([{';
const CLOSES = ')]}';

/** A text in which the code of each expression is another. */
export function withCode(text: string, change: (code: string) => string): string {
  if (!text.includes('{{')) return text;
  let fresh = '';
  let rest = 0;
  for (const [start, end] of expressionsIn(text)) {
    fresh += text.slice(rest, start) + change(text.slice(start, end));
    rest = end;
  }
  return fresh + text.slice(rest);
}

/** The code of the expression that is all of a text; null where it is more than that, or none. */
export function onlyCode(text: string): string | null {
  const [first, ...more] = expressionsIn(text);
  if (!first || more.length) return null;
  return text.startsWith('{{') && /^\}\}\n*$/.test(text.slice(first[1])) ? text.slice(first[0], first[1]) : null;
}

/** Where the code of each expression begins and ends. */
function expressionsIn(text: string): readonly (readonly [start: number, end: number])[] {
  const found: [number, number][] = [];
  for (let at = text.indexOf('{{'); at >= 0; at = text.indexOf('{{', at)) {
    if (text[at - 1] === '\\') {
      at += 2;
      continue;
    }
    const end = endOf(text, at + 2);
    if (end < 0) break;
    found.push([at + 2, end]);
    at = end + 2;
  }
  return found;
}

/** Where the code that begins there ends, before its `}}`; -1 where it never does. */
function endOf(text: string, start: number): number {
  let depth = 0;
  let quote = '';
  for (let at = start; at < text.length; at++) {
    const mark = text[at] ?? '';
    if (quote) {
      if (mark === '\\') at++;
      else if (mark === quote) quote = '';
    } else if (mark === '"' || mark === "'" || mark === '`') quote = mark;
    else if (OPENS.includes(mark)) depth++;
    else if (depth === 0 && text.startsWith('}}', at)) return at;
    else if (CLOSES.includes(mark)) depth--;
  }
  // Unbalanced: as far as the first end that is to be seen.
  return text.indexOf('}}', start);
}
