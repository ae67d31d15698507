import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  base64Length,
  fromBase64,
  fromBase64Url,
  fromHex,
  fromUtf8,
  fromUtf16,
  toBase64,
  toBase64Url,
  toHex,
  toLittleEndianHex,
  toUtf8,
} from '../../../server/bytes/encoding.ts';

const bytes = fc.uint8Array({ maxLength: 100 });
const plain = (value: Uint8Array) => [...value];

describe('encodings', () => {
  it('round-trip', () => {
    fc.assert(
      fc.property(bytes, (value) => {
        expect(plain(fromHex(toHex(value)))).toEqual(plain(value));
        expect(plain(fromBase64(toBase64(value)))).toEqual(plain(value));
        expect(plain(fromBase64Url(toBase64Url(value)))).toEqual(plain(value));
      }),
    );
    expect(fromUtf8(toUtf8('grün'))).toBe('grün');
  });

  it('know the length of base64', () => {
    fc.assert(
      fc.property(bytes, (value) => {
        expect(base64Length(value.byteLength)).toBe(toBase64(value).length);
      }),
    );
  });

  it('write integers as little-endian fields hold them', () => {
    expect(toLittleEndianHex(0x1234, 2)).toBe('3412');
    expect(toLittleEndianHex(3, 4)).toBe('03000000');
    expect(toLittleEndianHex(0xfedcba98, 4)).toBe('98badcfe');
    expect(toLittleEndianHex(Number.MAX_SAFE_INTEGER, 8)).toBe('ffffffffffff1f00');
  });

  it.each([
    ['base64url with padding', () => fromBase64Url('YQ==')],
    ['base64url in the standard alphabet', () => fromBase64Url('+/+/')],
    ['base64url with stray bits', () => fromBase64Url('YR')],
    ['base64url of an impossible length', () => fromBase64Url('YWFhY')],
    ['base64url with a line break', () => fromBase64Url('YWFh\n')],
    ['base64 without padding', () => fromBase64('YQ')],
    ['base64 in the URL alphabet', () => fromBase64('-_-_')],
    ['base64 with stray bits', () => fromBase64('YR==')],
    ['base64 with padding inside', () => fromBase64('YQ==YQ==')],
    ['hex of odd length', () => fromHex('abc')],
    ['hex with other letters', () => fromHex('0g')],
    ['bytes that are not UTF-8', () => fromUtf8(Uint8Array.of(0xc3, 0x28))],
    ['half a unit of UTF-16', () => fromUtf16(Uint8Array.of(0x61, 0x00, 0x62))],
  ])('refuse %s', (_what, decode) => {
    expect(decode).toThrow(expect.objectContaining({ code: 'ENCODING_MALFORMED' }));
  });

  it('read UTF-16 at any offset, with half characters as they stand', () => {
    const bytes = Uint8Array.of(0xff, 0x61, 0x00, 0x3d, 0xd8, 0x00, 0xde, 0x00, 0xd8).subarray(1);
    expect(fromUtf16(bytes)).toBe('a\u{1f600}\ud800');
    expect(fromUtf16(bytes).isWellFormed()).toBe(false);
  });

  it('accept no second spelling of the same bytes', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 40 }), (text) => {
        for (const [decode, encode] of [
          [fromBase64, toBase64],
          [fromBase64Url, toBase64Url],
        ] as const) {
          let decoded: Uint8Array | undefined;
          try {
            decoded = decode(text);
          } catch {
            // refused: nothing to compare
          }
          if (decoded !== undefined) expect(encode(decoded)).toBe(text);
        }
      }),
    );
  });
});
