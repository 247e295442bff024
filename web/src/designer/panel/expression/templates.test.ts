import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hasTemplate, partsOf } from '@/graph/templates';
import { accessor, codeAt, itemOf, readName, withExpression } from './templates';

const codes = (text: string) =>
  partsOf(text)
    .filter((part) => part.kind === 'code')
    .map((part) => text.slice(part.from, part.to));

describe('templates', () => {
  test.each([
    ['{{ $json.a }}', [' $json.a ']],
    ['a {{ 1 }} b {{ 2 }}', [' 1 ', ' 2 ']],
    ['{{ "}}" }}', [' "}}" ']],
    ['{{ {a: {b: 1}} }}', [' {a: {b: 1}} ']],
    ['{{ /* }} */ 1 }}', [' /* }} */ 1 ']],
    ['\\{{ no }} {{ 1 }}', [' 1 ']],
    ['{{ `a}}b` }}', [' `a}}b` ']],
    ['no', []],
  ])('%s has the code %j', (text, expected) => {
    expect(codes(text)).toEqual(expected);
  });

  test('one that is not closed says so', () => {
    expect(partsOf('a {{ $json.').at(-1)).toEqual({ kind: 'code', from: 4, to: 11, closed: false });
    expect(codeAt('a {{ $json.', 11)?.from).toBe(4);
    expect(codeAt('a {{ 1 }} b', 11)).toBeNull();
  });

  test('the parts of any text follow one another and lose nothing but braces', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('{{', '}}', '{', '}', '"', "'", 'a', ' ', '\\', '/*', '*/')), (pieces) => {
        const text = pieces.join('');
        let at = 0;
        for (const part of partsOf(text)) {
          const begin = part.kind === 'code' ? part.from - 2 : part.from;
          expect(begin).toBe(at);
          at = part.kind === 'code' && part.closed ? part.to + 2 : part.to;
        }
        expect(at).toBe(text.length);
      }),
    );
  });

  test('a value holds an expression wherever it stands in it', () => {
    expect(hasTemplate({ a: ['x', { b: '{{ 1 }}' }] })).toBe(true);
    expect(hasTemplate({ a: ['x', 1, null] })).toBe(false);
  });
});

describe('fields in expressions', () => {
  test('names that are none in JavaScript are put in brackets', () => {
    expect(accessor(['a', 'b c', 0, '2x', '$d'])).toBe('.a["b c"][0]["2x"].$d');
  });

  test("another node's item is read by its name, quotes and all", () => {
    expect(itemOf("Ann's")).toBe("$('Ann\\'s').item.json");
    expect(itemOf(null)).toBe('$json');
  });

  test('a field is added to the text that is there', () => {
    expect(withExpression('Dear', '$json.name')).toBe('Dear {{ $json.name }}');
    expect(withExpression(undefined, '$json.name')).toBe('{{ $json.name }}');
  });

  test.each([
    ['$json.source', 'source'],
    ['$json.a["b c"]', 'b c'],
    ["$('Fetch').item.json.json", 'json'],
    ["$('Fetch').item.json", null],
    ['$json', null],
    ['$json.list[0]', null],
  ])('what %s reads is called %j', (code, name) => {
    expect(readName(code)).toBe(name);
  });
});
