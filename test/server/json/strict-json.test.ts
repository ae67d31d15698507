import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CodedError } from '../../../server/errors/coded-error.ts';
import { parseJson, parseJsonWithBigInts } from '../../../server/json/strict-json.ts';

describe('parseJson', () => {
  it('reads what JSON.parse reads', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => {
        const text = JSON.stringify(value);
        fc.pre(!/__proto__|constructor|prototype/.test(text));
        expect(parseJson(text)).toEqual(JSON.parse(text));
      }),
    );
  });

  it.each([
    ['nothing', '', 'JSON_MALFORMED'],
    ['an open string', '{"a', 'JSON_MALFORMED'],
    ['a closing bracket too many', '{}]', 'JSON_MALFORMED'],
    ['a trailing comma', '{"a":1,}', 'JSON_MALFORMED'],
    ['a key twice', '{"a":1,"a":2}', 'JSON_DUPLICATE_KEY'],
    ['a key twice, further down', '[{"x":{"b":[1,{"c":1}],"d":2,"b":3}}]', 'JSON_DUPLICATE_KEY'],
    ['a key twice in two spellings', String.raw`{"a":1,"\u0061":2}`, 'JSON_DUPLICATE_KEY'],
    ['a key twice behind an escaped quote', String.raw`{"a\"":"}","a\"":2}`, 'JSON_DUPLICATE_KEY'],
    ['a key twice, with space in front of its colon', '{"a"\n:1,"a"\t :2}', 'JSON_DUPLICATE_KEY'],
    ['__proto__', '{"__proto__":{}}', 'JSON_FORBIDDEN_KEY'],
    ['constructor, spelt with an escape', String.raw`{"constr\u0075ctor":1}`, 'JSON_FORBIDDEN_KEY'],
    ['65 levels', '['.repeat(65) + ']'.repeat(65), 'JSON_TOO_DEEP'],
    ['a million levels', '['.repeat(1_000_000), 'JSON_TOO_DEEP'],
  ])('refuses %s', (_what, text, code) => {
    expect(() => parseJson(text)).toThrow(expect.objectContaining({ code }));
  });

  it('takes 64 levels, equal keys in different objects, and braces inside strings', () => {
    expect(() => parseJson('['.repeat(64) + ']'.repeat(64))).not.toThrow();
    expect(parseJson('[{"a":1},{"a":2}]')).toEqual([{ a: 1 }, { a: 2 }]);
    expect(parseJson('{"a":"a","b":["a","b"],"c":"a"}')).toEqual({ a: 'a', b: ['a', 'b'], c: 'a' });
    expect(parseJson(String.raw`{"a":"{\"a\":1,","b":"\\"}`)).toEqual({ a: '{"a":1,', b: '\\' });
  });

  it('throws nothing but its own errors', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('{', '}', '[', ']', '"', '\\', ',', ':', 'a', '1', ' ') }),
        (text) => {
          try {
            parseJson(text);
          } catch (error) {
            expect(error).toBeInstanceOf(CodedError);
          }
        },
      ),
    );
  });
});

describe('parseJsonWithBigInts', () => {
  it('keeps integers exact', () => {
    expect(
      parseJsonWithBigInts(
        '{"policy":18446744073709551615,"small":7,"half":0.5,"text":"18446744073709551615"}',
      ),
    ).toEqual({
      policy: 18446744073709551615n,
      small: 7,
      half: 0.5,
      text: '18446744073709551615',
    });
  });

  it.each([
    ['an integer of 41 digits', `[${'1'.repeat(41)}]`],
    ['an integer of a million digits', `[-${'9'.repeat(1_000_000)}]`],
    ['more than 256 integers beyond 2^53', `[${'18446744073709551615,'.repeat(256)}18446744073709551615]`],
    ['more than 16,384 commas', `[${'0,'.repeat(16_385)}0]`],
    ['more than 4,096 texts, arrays and objects', `[${'[],'.repeat(4096)}0]`],
    ['more texts than that', `[${'"",'.repeat(4096)}0]`],
    [
      'more member names than that',
      `{${Array.from({ length: 4096 }, (_, index) => `"${index}":0`).join(',')}}`,
    ],
  ])('refuses %s', (_what, text) => {
    expect(() => parseJsonWithBigInts(text)).toThrow(expect.objectContaining({ code: 'JSON_TOO_LARGE' }));
  });

  it('takes 16,384 commas, 4,096 members, 40 digits, and fractions of any length', () => {
    expect(parseJsonWithBigInts(`[${'0,'.repeat(16_384)}0]`)).toHaveLength(16_385);
    expect(parseJsonWithBigInts(`[${'"a",'.repeat(4095)}0]`)).toHaveLength(4096);
    expect(parseJsonWithBigInts(`[${'1'.repeat(40)}]`)).toEqual([BigInt('1'.repeat(40))]);
    expect(parseJsonWithBigInts(`[0.${'3'.repeat(100)},1e300]`)).toEqual([1 / 3, 1e300]);
  });

  it('leaves small documents to the fast path', () => {
    expect(parseJsonWithBigInts('[9007199254740991]')).toEqual([9007199254740991]);
  });
});
