import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { derOf, splitPem } from '../../../server/x509/pem.ts';
import { X509Error } from '../../../server/x509/x509-error.ts';

const block = (label: string, base64: string): string =>
  `-----BEGIN ${label}-----\n${base64}\n-----END ${label}-----\n`;

describe('splitPem', () => {
  it('gives the blocks of one kind in their order, with text around them', () => {
    const text = `first\n${block('CERTIFICATE', 'AQI=')}\r\n${block('PRIVATE KEY', 'CQ==')}${block('X509 CRL', 'Bw==')}${block('CERTIFICATE', 'Aw\n==')}last`;
    expect(splitPem(text)).toEqual([Buffer.of(1, 2), Buffer.of(3)]);
    expect(splitPem(text, 'crl')).toEqual([Buffer.of(7)]);
    expect(splitPem('nothing here')).toEqual([]);
  });

  it.each([
    ['a block that does not end', '-----BEGIN CERTIFICATE-----\nAQI=\n'],
    ['a block with another end', '-----BEGIN CERTIFICATE-----\nAQI=\n-----END X509 CRL-----\n'],
    ['bad base64', block('CERTIFICATE', 'AQI')],
    ['characters that are not base64', block('CERTIFICATE', 'A*I=')],
    ['more than 256 blocks', block('CERTIFICATE', 'AQI=').repeat(257)],
  ])('refuses %s', (_what, text) => {
    expect(() => splitPem(text)).toThrow(expect.objectContaining({ code: 'CERTIFICATE_MALFORMED' }));
  });
});

describe('derOf', () => {
  it('leaves DER as it is and unpacks PEM', () => {
    const der = Uint8Array.of(0x30, 0);
    expect(derOf(der)).toBe(der);
    expect(derOf(Buffer.from(block('CERTIFICATE', 'MAA=')))).toEqual(Buffer.from(der));
  });

  it('refuses none, several, and what is not text, and never throws a foreign error', () => {
    const two = Buffer.from(block('CERTIFICATE', 'MAA=').repeat(2));
    for (const bytes of [Uint8Array.of(), two, Uint8Array.of(0xff, 0xfe)]) {
      expect(() => derOf(bytes)).toThrow(expect.objectContaining({ code: 'CERTIFICATE_MALFORMED' }));
    }
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        try {
          derOf(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(X509Error);
        }
      }),
    );
  });
});
