import { generateKeyPairSync } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CodedError } from '../../../server/errors/coded-error.ts';
import { parseAttestationKey } from '../../../server/tpm/attestation-key.ts';
import { createFakeAk, range } from '../../fakes/tpm-quote.ts';

const der = { type: 'spki', format: 'der' } as const;
const rsa = createFakeAk().publicKey.export(der);

describe('parseAttestationKey', () => {
  it('reads RSA, P-256 and P-384', () => {
    for (const spki of [
      rsa,
      generateKeyPairSync('rsa', { modulusLength: 3072 }).publicKey.export(der),
      generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export(der),
      generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey.export(der),
    ]) {
      expect(parseAttestationKey(spki).spki).toEqual(spki);
    }
  });

  it.each([
    ['1024 bits', generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey.export(der)],
    ['P-521', generateKeyPairSync('ec', { namedCurve: 'P-521' }).publicKey.export(der)],
    ['secp256k1', generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).publicKey.export(der)],
    ['Ed25519', generateKeyPairSync('ed25519').publicKey.export(der)],
    [
      'exponent 3',
      generateKeyPairSync('rsa', { modulusLength: 2048, publicExponent: 3 }).publicKey.export(der),
    ],
  ])('refuses a key of %s', (_what, spki) => {
    expect(() => parseAttestationKey(spki)).toThrow(expect.objectContaining({ code: 'TPM_KEY_UNSUITABLE' }));
  });

  it('refuses a byte more, a key that is too long to be one, and every truncation', () => {
    const malformed = expect.objectContaining({ code: 'TPM_KEY_MALFORMED' }) as Error;
    expect(() => parseAttestationKey(Buffer.concat([rsa, Buffer.of(0)]))).toThrow(malformed);
    expect(() => parseAttestationKey(new Uint8Array(1025))).toThrow(malformed);
    for (const length of range(0, rsa.byteLength)) {
      expect(() => parseAttestationKey(rsa.subarray(0, length))).toThrow(malformed);
    }
  });

  it('throws nothing but errors of ours', () => {
    fc.assert(
      fc.property(fc.nat(40), fc.nat(255), (at, byte) => {
        try {
          parseAttestationKey(Uint8Array.from(rsa).fill(byte, at, at + 1));
        } catch (error) {
          expect(error).toBeInstanceOf(CodedError);
        }
      }),
    );
  });
});
