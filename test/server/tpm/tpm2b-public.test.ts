import { createHash, generateKeyPairSync, type JsonWebKey, type KeyObject } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CodedError } from '../../../server/errors/coded-error.ts';
import { requireAttestationKey, tpmNameOf } from '../../../server/tpm/ak-name.ts';
import { toAttestationKey } from '../../../server/tpm/attestation-key.ts';
import { parseTpm2bPublic } from '../../../server/tpm/tpm2b-public.ts';
import { AK_ATTRIBUTES, encodeFakePublic, type FakePublicOptions } from '../../fakes/tpm-object.ts';
import { createFakeAk, range } from '../../fakes/tpm-quote.ts';

const rsa = createFakeAk().publicKey;
const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey;
const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey;
const spki = (key: KeyObject): Buffer => key.export({ type: 'spki', format: 'der' });

describe('parseTpm2bPublic', () => {
  it.each<[string, KeyObject, FakePublicOptions]>([
    ['RSA', rsa, {}],
    ['RSA with its exponent', rsa, { exponent: 65537 }],
    ['RSA without a scheme', rsa, { scheme: Uint8Array.of(0, 0x10) }],
    ['RSA with a cipher, as storage keys have it', rsa, { symmetric: Uint8Array.of(0, 6, 0, 128, 0, 0x43) }],
    ['RSAES', rsa, { scheme: Uint8Array.of(0, 0x15) }],
    ['P-256', p256, {}],
    ['P-384', p384, { nameHash: 0x0c }],
    ['ECDAA', p256, { scheme: Uint8Array.of(0, 0x1a, 0, 0x0b, 0, 1) }],
  ])('reads a key of %s', (_what, key, options) => {
    const object = parseTpm2bPublic(encodeFakePublic(key, options));
    expect(spki(object.publicKey)).toEqual(spki(key));
    expect(object.attributes).toMatchObject({ restricted: true, sign: true, decrypt: false });
  });

  it('names an object by its hash and its public area', () => {
    for (const [nameHash, name] of [
      [0x0b, 'sha256'],
      [0x0c, 'sha384'],
      [0x0d, 'sha512'],
    ] as const) {
      const encoded = encodeFakePublic(rsa, { nameHash });
      const digest = createHash(name).update(encoded.subarray(2)).digest();
      expect(tpmNameOf(parseTpm2bPublic(encoded))).toEqual(Buffer.concat([Buffer.of(0, nameHash), digest]));
    }
  });

  it.each<[string, FakePublicOptions, string]>([
    ['a symmetric key', { type: 0x25 }, 'TPM_KEY_UNSUITABLE'],
    ['a name by SM3', { nameHash: 0x12 }, 'TPM_KEY_UNSUITABLE'],
    ['a modulus of other bits than said', { keyBits: 3072 }, 'TPM_KEY_MALFORMED'],
    ['a size beyond the bytes', { size: 400 }, 'TRUNCATED'],
    ['a size before the end', { size: 8 }, 'TRAILING_BYTES'],
  ])('refuses %s', (_what, options, code) => {
    expect(() => parseTpm2bPublic(encodeFakePublic(rsa, options))).toThrow(expect.objectContaining({ code }));
  });

  it('refuses a point off the curve, another curve, and coordinates that are too long', () => {
    const { x } = p256.export({ format: 'jwk' }) as Required<JsonWebKey>;
    const refuses = (options: FakePublicOptions, code: string): void => {
      expect(() => parseTpm2bPublic(encodeFakePublic(p256, options))).toThrow(
        expect.objectContaining({ code }),
      );
    };
    refuses({ y: Buffer.from(x, 'base64url') }, 'TPM_KEY_MALFORMED');
    refuses({ curve: 0x20 }, 'TPM_KEY_UNSUITABLE');
    refuses({ y: new Uint8Array(33) }, 'TPM_KEY_MALFORMED');
  });

  it('refuses every truncation, more than 1024 bytes, and throws nothing but errors of ours', () => {
    const genuine = encodeFakePublic(rsa);
    for (const length of range(0, genuine.byteLength)) {
      expect(() => parseTpm2bPublic(genuine.subarray(0, length))).toThrow(CodedError);
    }
    expect(() => parseTpm2bPublic(new Uint8Array(1025))).toThrow(
      expect.objectContaining({ code: 'TPM_KEY_MALFORMED' }),
    );
    fc.assert(
      fc.property(fc.constantFrom(rsa, p256), fc.nat(60), fc.nat(255), (key, at, byte) => {
        const changed = Uint8Array.from(encodeFakePublic(key));
        changed[at] = byte;
        try {
          parseTpm2bPublic(changed);
        } catch (error) {
          expect(error).toBeInstanceOf(CodedError);
        }
      }),
    );
  });
});

describe('requireAttestationKey', () => {
  const check = (options: FakePublicOptions, key = rsa): void => {
    requireAttestationKey(parseTpm2bPublic(encodeFakePublic(rsa, options)), toAttestationKey(key));
  };

  it('accepts a restricted signing key that stays in its TPM', () => {
    expect(() => {
      check({});
    }).not.toThrow();
  });

  it.each([
    ['may be duplicated', AK_ATTRIBUTES & ~(1 << 1)],
    ['may change its parent', AK_ATTRIBUTES & ~(1 << 4)],
    ['came from outside', AK_ATTRIBUTES & ~(1 << 5)],
    ['signs anything', AK_ATTRIBUTES & ~(1 << 16)],
    ['decrypts', AK_ATTRIBUTES | (1 << 17)],
    ['does not sign', AK_ATTRIBUTES & ~(1 << 18)],
  ])('refuses a key that %s', (_what, attributes) => {
    expect(() => {
      check({ attributes });
    }).toThrow(expect.objectContaining({ code: 'TPM_KEY_UNSUITABLE' }));
  });

  it('refuses a name by SHA-1, and the public area of another key', () => {
    const refused = expect.objectContaining({ code: 'TPM_KEY_UNSUITABLE' }) as Error;
    expect(() => {
      check({ nameHash: 0x04 });
    }).toThrow(refused);
    expect(() => {
      check({}, createFakeAk().publicKey);
    }).toThrow(refused);
  });
});
