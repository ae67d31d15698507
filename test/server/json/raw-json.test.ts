import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compactJson, rawElements, rawMembers } from '../../../server/json/raw-json.ts';

describe('rawMembers', () => {
  it('gives the text of each value as it stands', () => {
    const text = ' { "a" : {"x": 1.0 , "y":[ 2,"},"] } ,\n"b\\"":"q\\\\", "\\u0063":1e2,"d":[] } ';
    expect([...rawMembers(text)]).toEqual([
      ['a', '{"x": 1.0 , "y":[ 2,"},"] }'],
      ['b"', '"q\\\\"'],
      ['c', '1e2'],
      ['d', '[]'],
    ]);
    expect(rawMembers('{}').size).toBe(0);
  });

  it.each(['[]', '"{}"', '1', 'null'])('refuses %s, which is no object', (text) => {
    expect(() => rawMembers(text)).toThrow(expect.objectContaining({ code: 'JSON_MALFORMED' }));
  });

  it.each([
    ['{', 'JSON_MALFORMED'],
    ['{"a":1,"a":2}', 'JSON_DUPLICATE_KEY'],
    [`{"a":${'['.repeat(70)}${']'.repeat(70)}}`, 'JSON_TOO_DEEP'],
  ])('refuses what is not strict JSON (%#)', (text, code) => {
    expect(() => rawMembers(text)).toThrow(expect.objectContaining({ code }));
  });

  it('gives texts that parse to the members of the object, however it is written', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string(), fc.jsonValue()),
        fc.constantFrom('', 1, '\t'),
        (object, indent) => {
          const plain = JSON.parse(JSON.stringify(object)) as Record<string, unknown>;
          fc.pre(
            !['__proto__', 'constructor', 'prototype'].some((name) => JSON.stringify(object).includes(name)),
          );
          const members = rawMembers(JSON.stringify(object, undefined, indent));
          expect(
            Object.fromEntries([...members].map(([name, raw]) => [name, JSON.parse(raw) as unknown])),
          ).toEqual(plain);
        },
      ),
    );
  });
});

describe('rawElements', () => {
  it('gives the text of each element as it stands', () => {
    expect(rawElements('[ {"a": [1, 2]} , "," ,3 ]')).toEqual(['{"a": [1, 2]}', '","', '3']);
    expect(rawElements(' [ ] ')).toEqual([]);
    expect(() => rawElements('{}')).toThrow(expect.objectContaining({ code: 'JSON_MALFORMED' }));
  });
});

describe('compactJson', () => {
  it('takes away whitespace between tokens and nothing else', () => {
    expect(compactJson('{ "a b" : [ 1.0,\r\n\t"\\" x" ] }\n')).toBe('{"a b":[1.0,"\\" x"]}');
    expect(() => compactJson('{')).toThrow(expect.objectContaining({ code: 'JSON_MALFORMED' }));
  });

  it('undoes any indentation', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.constantFrom(1, '\t', ' \n'), (value, indent) => {
        const text = JSON.stringify(value);
        fc.pre(!['__proto__', 'constructor', 'prototype'].some((name) => text.includes(name)));
        expect(compactJson(JSON.stringify(value, undefined, indent))).toBe(text);
      }),
    );
  });
});
