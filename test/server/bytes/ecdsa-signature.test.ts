import { generateKeyPairSync, sign, verify } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ecdsaSignatureFromDer, ecdsaSignatureToDer } from '../../../server/bytes/ecdsa-signature.ts';

const CURVES = [
  ['P-256', 32],
  ['P-384', 48],
  ['P-521', 66],
] as const;

describe.each(CURVES)('signatures on %s', (namedCurve, scalarBytes) => {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve });
  const message = Buffer.from('signed');

  // Enough signatures that scalars with a leading zero byte, and with a leading one bit, come up.
  it('are valid in the other form', () => {
    for (let count = 0; count < 300; count++) {
      const der = sign('sha384', message, privateKey);
      const concatenated = ecdsaSignatureFromDer(der, scalarBytes);
      expect(concatenated).toHaveLength(2 * scalarBytes);
      const key = { key: publicKey, dsaEncoding: 'ieee-p1363' } as const;
      expect(verify('sha384', message, key, concatenated)).toBe(true);
      expect(Buffer.from(ecdsaSignatureToDer(concatenated)).equals(der)).toBe(true);
    }
  });

  it('keep every pair of scalars, small ones too', () => {
    const scalar = fc
      .uint8Array({ minLength: 1, maxLength: scalarBytes })
      .map((bytes) => [...new Uint8Array(scalarBytes - bytes.length), ...bytes]);
    fc.assert(
      fc.property(scalar, scalar, (r, s) => {
        const signature = Uint8Array.from([...r, ...s]);
        expect(ecdsaSignatureFromDer(ecdsaSignatureToDer(signature), scalarBytes)).toEqual(signature);
      }),
    );
  });
});

it('writes the integers of DER as short as they can be', () => {
  const signature = Uint8Array.of(0, 0, 0, 1, 0, 0, 0, 0x80);
  expect([...ecdsaSignatureToDer(signature)]).toEqual([0x30, 7, 2, 1, 1, 2, 2, 0, 0x80]);
});
