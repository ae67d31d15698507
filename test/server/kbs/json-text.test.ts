import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseJsonWithBigInts } from '../../../server/json/strict-json.ts';
import { jsonText } from '../../../server/kbs/json-text.ts';

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
