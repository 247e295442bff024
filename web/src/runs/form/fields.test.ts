import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { consentsOf, draftOf, type FormSchema, readDraft, rememberable } from './fields';

const SCHEMA: FormSchema = {
  properties: {
    title: { type: 'string', default: 'Fix it' },
    count: { type: 'integer' },
    share: { type: 'number', default: 0.5 },
    ask: { type: 'boolean', default: true },
    level: { enum: ['low', 'high', 3], default: 'high' },
    more: { type: 'object' },
    limit: { type: ['string', 'number'], default: '15m' },
    key: { type: 'string', format: 'password' },
    source: { type: 'string', default: 'ours', consent: 'it is run here.' },
  },
  required: ['count'],
};

describe('a form of a schema', () => {
  it('begins with the defaults and says them back', () => {
    const draft = draftOf(SCHEMA);
    expect(readDraft(SCHEMA, { ...draft, count: '3' })).toEqual({
      ok: true,
      values: { title: 'Fix it', count: 3, share: 0.5, ask: true, level: 'high', limit: '15m', source: 'ours' },
    });
  });

  it('says what is missing or is none of its kind, by field', () => {
    const read = readDraft(SCHEMA, { ...draftOf(SCHEMA), share: 'half', more: '{' });
    expect(read).toMatchObject({ ok: false, problems: { count: 'required', share: 'number' } });
    expect(read.ok || Object.keys(read.problems)).toContain('more');
  });

  it('gives back the values that it was filled with', () => {
    const values = fc.record({
      title: fc.string(),
      count: fc.integer(),
      share: fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => (Object.is(value, -0) ? 0 : value)),
      ask: fc.boolean(),
      level: fc.constantFrom('low', 'high', 3),
      more: fc.dictionary(fc.string(), fc.jsonValue()).map((value) => JSON.parse(JSON.stringify(value))),
    });
    fc.assert(
      fc.property(values, (given) => {
        const read = readDraft(SCHEMA, draftOf(SCHEMA, given));
        expect(read.ok && read.values).toMatchObject(given);
      }),
    );
  });

  it('asks to agree where a value is not the one of the graph', () => {
    const draft = draftOf(SCHEMA);
    expect(consentsOf(SCHEMA, draft)).toEqual([]);
    expect(consentsOf(SCHEMA, { ...draft, source: 'theirs' })).toEqual(['it is run here.']);
  });

  it('remembers no secret', () => {
    expect(rememberable(SCHEMA, { title: 'a', key: 'hush', gone: 1 })).toEqual({ title: 'a' });
  });
});
