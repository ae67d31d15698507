import fc from 'fast-check';
import { expect, test } from 'vitest';
import { base64Text, base64UrlBytes, base64UrlText, utf8Bytes, utf8Text } from '../../agent/text-encoding.ts';

test('agrees with Node’s own encoders', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
      const buffer = Buffer.from(bytes);
      expect(base64Text(bytes)).toBe(buffer.toString('base64'));
      expect(base64UrlText(bytes)).toBe(buffer.toString('base64url'));
      expect(Buffer.from(base64UrlBytes(base64UrlText(bytes)))).toEqual(buffer);
    }),
  );
});

test('reads back the text that it wrote', () => {
  expect(utf8Text(utf8Bytes('\ufeffä€😀'))).toBe('\ufeffä€😀');
});

test.each([
  ['padding', 'QQ=='],
  ['the standard alphabet', '+/+/'],
  ['blanks', 'QU FB'],
  ['stray bits', 'QR'],
  ['one character too few', 'QQQQQ'],
])('refuses base64url with %s', (_what, text) => {
  expect(() => base64UrlBytes(text)).toThrow(expect.objectContaining({ code: 'ENCODING_MALFORMED' }));
});

test('refuses bytes that are not UTF-8', () => {
  expect(() => utf8Text(Uint8Array.of(0xff))).toThrow(
    expect.objectContaining({ code: 'ENCODING_MALFORMED' }),
  );
});
