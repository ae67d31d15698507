import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ByteReader } from '../../../server/bytes/byte-reader.ts';
import { bytesEqual, isFilledWith, padTo } from '../../../server/bytes/byte-strings.ts';
import { MalformedError } from '../../../server/errors/malformed-error.ts';

describe('ByteReader', () => {
  it('reads each width in its byte order', () => {
    const reader = new ByteReader(Uint8Array.from({ length: 29 }, (_value, index) => index + 1));
    expect(reader.u8()).toBe(0x01);
    expect(reader.u16le()).toBe(0x0302);
    expect(reader.u16be()).toBe(0x0405);
    expect(reader.u32le()).toBe(0x09080706);
    expect(reader.u32be()).toBe(0x0a0b0c0d);
    expect(reader.u64le()).toBe(0x1514131211100f0en);
    expect(reader.u64be()).toBe(0x161718191a1b1c1dn);
    expect(() => {
      reader.end();
    }).not.toThrow();
  });

  it('hands a part to a reader of its own', () => {
    const reader = new ByteReader(Uint8Array.of(1, 2, 3, 4));
    reader.u8();
    const part = reader.nested(2);
    expect(part.u16le()).toBe(0x0302);
    expect(() => part.u8()).toThrow(expect.objectContaining({ code: 'TRUNCATED' }));
    expect(reader.u8()).toBe(4);
    expect(() => reader.nested(1)).toThrow(expect.objectContaining({ code: 'TRUNCATED' }));
  });

  it.each([
    ['beyond the end', 'TRUNCATED', (reader: ByteReader) => reader.u64le()],
    ['a negative length', 'TRUNCATED', (reader: ByteReader) => reader.bytes(-1)],
    ['half a byte', 'TRUNCATED', (reader: ByteReader) => reader.bytes(0.5)],
    [
      'a reserved byte that is set',
      'RESERVED_NOT_ZERO',
      (reader: ByteReader) => {
        reader.reserved(4);
      },
    ],
    [
      'an end that is not one',
      'TRAILING_BYTES',
      (reader: ByteReader) => {
        reader.end();
      },
    ],
  ])('refuses %s', (_what, code, read) => {
    const reader = new ByteReader(Uint8Array.of(0, 0, 1, 0));
    expect(() => {
      read(reader);
    }).toThrow(expect.objectContaining({ code }));
  });

  it('throws nothing but MalformedError, whatever is asked of it', () => {
    const steps = fc.array(fc.oneof(fc.integer({ min: -5, max: 70 }), fc.constant(Number.NaN)));
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), steps, (bytes, lengths) => {
        const reader = new ByteReader(bytes);
        try {
          for (const length of lengths) expect(reader.bytes(length).byteLength).toBe(length);
        } catch (error) {
          expect(error).toBeInstanceOf(MalformedError);
        }
      }),
    );
  });
});

describe('padTo', () => {
  it('appends zeros and never cuts', () => {
    expect([...(padTo(Uint8Array.of(1, 2), 4) ?? [])]).toEqual([1, 2, 0, 0]);
    expect(padTo(Uint8Array.of(1, 2, 3), 2)).toBeUndefined();
  });
});

describe('bytesEqual', () => {
  it('compares length and content', () => {
    expect(bytesEqual(Uint8Array.of(1), Uint8Array.of(1))).toBe(true);
    expect(bytesEqual(Uint8Array.of(1), Uint8Array.of(2))).toBe(false);
    expect(bytesEqual(Uint8Array.of(1), Uint8Array.of(1, 0))).toBe(false);
  });
});

describe('isFilledWith', () => {
  it.each([
    ['no bytes', [], 0, true],
    ['one byte', [7], 7, true],
    ['another byte', [7], 8, false],
    ['many', Array.from({ length: 1000 }, () => 0xff), 0xff, true],
    ['another at the start', [1, 0, 0], 0, false],
    ['another inside', [0, 0, 1, 0, 0], 0, false],
    ['another at the end', [0, 0, 1], 0, false],
    ['bytes that are all alike, but others', [1, 1, 1], 0, false],
  ])('looks at %s', (_what, bytes, value, answer) => {
    expect(isFilledWith(Uint8Array.from(bytes), value)).toBe(answer);
  });
});
