import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { signingSchemeOf } from '../../../../../agent/attestation-agent/attesters/tpm/signing-scheme.ts';
import { CodedError } from '../../../../../server/errors/coded-error.ts';

/** TPM2B_PUBLIC of an RSA key, up to where its scheme ends. */
function area(symmetric: number, scheme: number, hash: number, policy = new Uint8Array()): Buffer {
  const head = Buffer.from('011800010000b00050072'.padEnd(20, '0'), 'hex');
  const words = Buffer.alloc(2);
  words.writeUInt16BE(policy.byteLength);
  const tail = Buffer.alloc(6);
  [symmetric, scheme, hash].forEach((word, index) => tail.writeUInt16BE(word, 2 * index));
  return Buffer.concat([head, words, policy, tail, Buffer.alloc(20)]);
}

describe('signingSchemeOf', () => {
  it.each([
    [0x0014, 0x000b, 'rsassa', 'sha256'],
    [0x0016, 0x000c, 'rsapss', 'sha384'],
    [0x0018, 0x000d, 'ecdsa', 'sha512'],
  ])('reads 0x%x with 0x%x', (scheme, hash, schemeName, hashName) => {
    expect(signingSchemeOf(area(0x10, scheme, hash))).toEqual({ scheme: schemeName, hash: hashName });
    expect(signingSchemeOf(area(0x10, scheme, hash, new Uint8Array(32)))).toMatchObject({ hash: hashName });
  });

  it.each([
    ['a key that decrypts', area(0x0006, 0x0014, 0x000b)],
    ['a key that signs anything', area(0x10, 0x0010, 0x000b)],
    ['ECDAA', area(0x10, 0x001a, 0x000b)],
    ['SHA-1', area(0x10, 0x0014, 0x0004)],
    ['half a key', area(0x10, 0x0014, 0x000b).subarray(0, 17)],
  ])('refuses %s', (_what, bytes) => {
    expect(() => signingSchemeOf(bytes)).toThrow(expect.objectContaining({ code: 'TPM_FAILED' }));
  });

  it('throws nothing but its own errors', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        try {
          signingSchemeOf(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(CodedError);
        }
      }),
    );
  });
});
