import { generateKeyPairSync } from 'node:crypto';
import { calculateJwkThumbprint } from 'jose';
import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../../../server/claims/claims.ts';
import { parseKeySet, parsePemKey, parseVerificationKey } from '../../../server/token/verification-key.ts';
import { fakeIssuer } from './fake-issuer.ts';

/** Whatever a stranger publishes. */
const parse = (jwk: object) => parseVerificationKey(jwk as JsonObject);

const es256 = fakeIssuer().publicJwk;
const { kty, crv, x, y } = es256;
const withoutAlg = { kty, crv, x, y };
const weakRsa = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey.export({ format: 'jwk' });

describe('parseVerificationKey', () => {
  it('names a key by its thumbprint', async () => {
    expect(parse(es256).thumbprint).toBe(await calculateJwkThumbprint(es256));
  });

  it('takes the algorithm that the key names, else those of its family', () => {
    expect(parse(es256).algorithms).toEqual(['ES256']);
    expect(parse(withoutAlg).algorithms).toEqual(['ES256']);
    const { n, e } = fakeIssuer('PS256').publicJwk;
    expect(parse({ kty: 'RSA', n, e }).algorithms).toEqual([
      'RS256',
      'RS384',
      'RS512',
      'PS256',
      'PS384',
      'PS512',
    ]);
  });

  it.each([
    ['a symmetric key', 'KEY_UNSUPPORTED', { kty: 'oct', k: 'AAAA', alg: 'HS256' }],
    ['no key type', 'KEY_UNSUPPORTED', {}],
    ['an unknown curve', 'KEY_MALFORMED', { ...es256, crv: 'P-257' }],
    ['a curve without an algorithm of ours', 'KEY_UNSUPPORTED', { ...withoutAlg, ...secp256k1() }],
    ['an encryption key', 'KEY_UNSUPPORTED', { ...es256, use: 'enc' }],
    ['a key that only signs', 'KEY_UNSUPPORTED', { ...es256, key_ops: ['sign'] }],
    ['the algorithm of another curve', 'KEY_UNSUPPORTED', { ...es256, alg: 'ES384' }],
    ['an HMAC on an EC key', 'KEY_UNSUPPORTED', { ...es256, alg: 'HS256' }],
    ['an algorithm in lower case', 'KEY_UNSUPPORTED', { ...es256, alg: 'es256' }],
    ['a point off the curve', 'KEY_MALFORMED', { ...es256, y: es256.x }],
    ['a missing coordinate', 'KEY_MALFORMED', { ...es256, y: undefined }],
    ['a short RSA key', 'KEY_UNSUPPORTED', { ...weakRsa, alg: 'RS256' }],
  ])('refuses %s', (_what, code, jwk) => {
    expect(() => parse(jwk)).toThrow(expect.objectContaining({ code }) as Error);
  });
});

describe('parseKeySet', () => {
  it('passes over keys that it cannot use', () => {
    expect(parseKeySet({ keys: [{ kty: 'oct', k: 'AA' }, 'x', null, es256] })).toHaveLength(1);
  });

  it.each([
    ['nothing', null],
    ['no keys member', {}],
    ['keys that are no list', { keys: {} }],
    ['no key at all', { keys: [] }],
    ['no usable key', { keys: [{ kty: 'oct', k: 'AA' }] }],
    ['too many keys', { keys: Array.from({ length: 65 }, () => es256) }],
  ])('refuses %s', (_what, document) => {
    expect(() => parseKeySet(document)).toThrow(
      expect.objectContaining({ code: 'KEY_SET_MALFORMED' }) as Error,
    );
  });
});

describe('parsePemKey', () => {
  it('reads a public key', () => {
    const pem = generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'pem' }).toString();
    expect(parsePemKey(pem)).toMatchObject({ keyId: undefined, algorithms: ['EdDSA'] });
  });

  it.each([
    ['what is none', '-----BEGIN'],
    [
      'a DSA key',
      generateKeyPairSync('dsa', { modulusLength: 1024, divisorLength: 160 })
        .publicKey.export({ type: 'spki', format: 'pem' })
        .toString(),
    ],
  ])('refuses %s', (_what, pem) => {
    expect(() => parsePemKey(pem)).toThrow(expect.objectContaining({ code: 'KEY_MALFORMED' }) as Error);
  });
});

function secp256k1(): object {
  return generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).publicKey.export({ format: 'jwk' });
}
