import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CodedError } from '../../../server/errors/coded-error.ts';
import { DerReader } from '../../../server/x509/der-reader.ts';

const reader = (...bytes: number[]): DerReader => new DerReader(Uint8Array.from(bytes));

describe('DerReader', () => {
  it.each([
    [[2, 1, 0], 0n],
    [[2, 1, 0x7f], 127n],
    [[2, 2, 0, 0x80], 128n],
    [[2, 1, 0x80], -128n],
    [[2, 3, 1, 0, 0], 65_536n],
  ])('reads INTEGER %j as %s', (bytes, expected) => {
    expect(reader(...bytes).integer()).toBe(expected);
  });

  it.each([
    [[6, 3, 0x2a, 0x03, 0x04], '1.2.3.4'],
    [[6, 9, 0x2b, 0x06, 0x01, 0x04, 0x01, 0x9c, 0x78, 0x01, 0x04], '1.3.6.1.4.1.3704.1.4'],
    [[6, 3, 0x88, 0x37, 0x03], '2.999.3'],
  ])('reads OID %j as %s', (bytes, expected) => {
    expect(reader(...bytes).oid()).toBe(expected);
  });

  it('reads the other types', () => {
    const value = reader(0x30, 14, 1, 1, 0xff, 5, 0, 4, 1, 9, 3, 2, 0, 7, 10, 1, 3).sequence();
    expect(value.isBoolean()).toBe(true);
    expect(value.boolean()).toBe(true);
    value.null();
    expect(value.octetString()).toEqual(Uint8Array.of(9));
    expect(value.wholeBytes()).toEqual(Uint8Array.of(7));
    expect(() => {
      value.end();
    }).toThrow(CodedError);
    expect(reader(10, 1, 3).enumerated()).toBe(3n);
    expect(reader(0x16, 2, 0x41, 0x42).ia5String()).toBe('AB');
    expect(reader(0xa1, 3, 2, 1, 5).explicit(1).integer()).toBe(5n);
    expect(reader(0x30, 1, 0x42).encodedSequence()).toEqual(Uint8Array.of(0x30, 1, 0x42));
  });

  it.each([
    ['an empty input', 'TRUNCATED', () => reader().integer()],
    ['a value that is cut', 'TRUNCATED', () => reader(2, 2, 1).integer()],
    ['a length that is cut', 'TRUNCATED', () => reader(4, 0x82, 1).octetString()],
    ['another tag', 'ENCODING_MALFORMED', () => reader(4, 1, 1).integer()],
    ['an indefinite length', 'ENCODING_MALFORMED', () => reader(0x30, 0x80, 0, 0).sequence()],
    [
      'a length in long form that fits the short',
      'ENCODING_MALFORMED',
      () => reader(4, 0x81, 1, 1).octetString(),
    ],
    ['a length with a leading zero', 'ENCODING_MALFORMED', () => reader(4, 0x82, 0, 0x80).octetString()],
    ['a length of four bytes', 'ENCODING_MALFORMED', () => reader(4, 0x84, 1, 0, 0, 0).octetString()],
    ['an INTEGER without content', 'ENCODING_MALFORMED', () => reader(2, 0).integer()],
    [
      'an INTEGER of 34 bytes',
      'ENCODING_MALFORMED',
      () => reader(2, 34, ...Array<number>(34).fill(1)).integer(),
    ],
    ['an INTEGER with a leading 00', 'ENCODING_MALFORMED', () => reader(2, 2, 0, 1).integer()],
    ['an INTEGER with a leading ff', 'ENCODING_MALFORMED', () => reader(2, 2, 0xff, 0x80).integer()],
    ['a BOOLEAN of 01', 'ENCODING_MALFORMED', () => reader(1, 1, 1).boolean()],
    [
      'a NULL with content',
      'ENCODING_MALFORMED',
      () => {
        reader(5, 1, 0).null();
      },
    ],
    ['a BIT STRING with unused bits', 'ENCODING_MALFORMED', () => reader(3, 2, 1, 0).wholeBytes()],
    ['an IA5String with control characters', 'ENCODING_MALFORMED', () => reader(0x16, 1, 0).ia5String()],
    ['an OID without content', 'ENCODING_MALFORMED', () => reader(6, 0).oid()],
    ['an OID that does not end', 'ENCODING_MALFORMED', () => reader(6, 1, 0x80 | 1).oid()],
    ['an OID with a padded arc', 'ENCODING_MALFORMED', () => reader(6, 3, 0x2a, 0x80, 1).oid()],
    [
      'bytes behind the value',
      'TRAILING_BYTES',
      () => {
        reader(5, 0).end();
      },
    ],
  ])('refuses %s with %s', (_what, code, read) => {
    expect(read).toThrow(expect.objectContaining({ code }));
  });

  it('never throws a foreign error', () => {
    const methods = [
      'integer',
      'oid',
      'octetString',
      'ia5String',
      'wholeBytes',
      'boolean',
      'sequence',
      'null',
    ] as const;
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), fc.constantFrom(...methods), (bytes, method) => {
        try {
          const value = new DerReader(bytes);
          value[method]();
          value.end();
        } catch (error) {
          expect(error).toBeInstanceOf(CodedError);
        }
      }),
      { numRuns: 2000 },
    );
  });
});
