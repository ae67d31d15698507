import { generateKeyPairSync, sign, verify, webcrypto } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { importP256Key, isP256Key, p256PointOf } from '../../../server/intel-dcap/p256-key.ts';
import { filled } from '../../fakes/quote-bytes.ts';

const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });

describe('importP256Key', () => {
  it('makes the key whose point it is', () => {
    const point = p256PointOf(publicKey);
    expect(point[0]).toBe(4);
    const key = importP256Key(point.subarray(1));
    const data = Uint8Array.of(1, 2, 3);
    expect(key !== undefined && verify('sha256', data, key, sign('sha256', data, privateKey))).toBe(true);
  });

  it.each<[string, Uint8Array]>([
    ['zeros', filled(64, 0)],
    ['ones', filled(64, 1)],
    ['coordinates beyond the field', filled(64, 0xff)],
    ['too few bytes', p256PointOf(publicKey).subarray(1, 64)],
    ['nothing', new Uint8Array()],
    [
      'a point beside the curve',
      p256PointOf(publicKey)
        .slice(1)
        .with(63, p256PointOf(publicKey)[64]! ^ 1),
    ],
    [
      // SEC 1, section 2.3.4: coordinates are field elements. This x is 5 + p, and 5 is the x of a point.
      'the other name of a coordinate',
      Buffer.from(
        'ffffffff00000001000000000000000000000001000000000000000000000004' +
          '459243b9aa581806fe913bce99817ade11ca503c64d9a3c533415c083248fbcc',
        'hex',
      ),
    ],
  ])('refuses %s and leaves WebCrypto working', async (_what, coordinates) => {
    expect(importP256Key(coordinates)).toBeUndefined();
    const algorithm = { name: 'ECDSA', namedCurve: 'P-256' };
    await expect(webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])).resolves.toBeDefined();
  });
});

describe('isP256Key', () => {
  it('tells P-256 keys from others', () => {
    expect(isP256Key(publicKey)).toBe(true);
    expect(isP256Key(generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey)).toBe(false);
    expect(isP256Key(generateKeyPairSync('ed25519').publicKey)).toBe(false);
  });
});
