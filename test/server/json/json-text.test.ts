import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { jsonText } from '../../../server/json/json-text.ts';
import { parseJsonWithBigInts } from '../../../server/json/strict-json.ts';

describe('jsonText', () => {
  it('keeps integers beyond 2^53', () => {
    const text = '{"a":[18446744073709551615,-9007199254740993,1],"b":{"c":null,"d":"é\\n","e":true}}';
    expect(jsonText(parseJsonWithBigInts(text))).toBe(text);
  });

  it('writes what JSON.stringify writes', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(jsonText(value)).toBe(JSON.stringify(value));
      }),
    );
  });
});
