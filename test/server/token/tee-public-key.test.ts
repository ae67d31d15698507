import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../../../server/claims/claims.ts';
import { findTeePublicKey, parseTeePublicKey } from '../../../server/token/tee-public-key.ts';

const ecKey = (namedCurve: string): JsonObject => ({
  ...generateKeyPairSync('ec', { namedCurve }).publicKey.export({ format: 'jwk' }),
  alg: 'ECDH-ES+A256KW',
});
const rsaKey = (modulusLength: number, publicExponent = 65_537): JsonObject => ({
  ...generateKeyPairSync('rsa', { modulusLength, publicExponent }).publicKey.export({ format: 'jwk' }),
  alg: 'RSA-OAEP-256',
});

const p256 = ecKey('P-256');
const p521 = ecKey('P-521');
const rsa = rsaKey(2048);

const submodule = (key: unknown): JsonObject =>
  ({ 'ear.veraison.annotated-evidence': { runtime_data_claims: { 'tee-pubkey': key } } }) as JsonObject;

describe('findTeePublicKey', () => {
  it.each([
    ['an EAR', { submods: { cpu0: submodule(p256) } }],
    ['an EAR with a confirmation', { submods: { cpu0: submodule(p256) }, cnf: { jwk: p256 } }],
    [
      'a confirmation with members of no meaning',
      { 'tee-pubkey': { ...p256, kid: 'x' }, cnf: { jwk: p256 } },
    ],
    ['a device without runtime data', { submods: { cpu0: submodule(p256), gpu0: submodule(null) } }],
    ['Intel Trust Authority', { tdx: { attester_runtime_data: { 'tee-pubkey': p256 } } }],
    ['Intel Trust Authority on Azure', { tdx: { attester_user_data: { 'tee-pubkey': p256 } } }],
    ['older tokens', { customized_claims: { runtime_data: { 'tee-pubkey': p256 } } }],
    ['the top level', { 'tee-pubkey': p256 }],
    ['RFC 7800', { cnf: { jwk: p256 } }],
  ])('finds the key of %s', (_what, claims) => {
    expect(findTeePublicKey(claims as JsonObject)).toMatchObject({
      algorithm: 'ECDH-ES+A256KW',
      curve: 'P-256',
    });
  });

  it('finds the key at a configured pointer, escapes included', () => {
    expect(findTeePublicKey({ 'a/b~c': [p256], x: { 'a/b~c': p256 } }, ['/x/a~1b~0c'])).toMatchObject({
      curve: 'P-256',
    });
  });

  it.each([
    ['no key', 'TEE_KEY_MISSING', {}],
    ['a null', 'TEE_KEY_MISSING', { 'tee-pubkey': null }],
    ['an inherited property', 'TEE_KEY_MISSING', { submods: { cpu0: [] } }],
    ['two keys', 'TEE_KEY_AMBIGUOUS', { 'tee-pubkey': p256, cnf: { jwk: p521 } }],
    [
      'two algorithms for one key',
      'TEE_KEY_AMBIGUOUS',
      { 'tee-pubkey': rsa, cnf: { jwk: { ...rsa, alg: 'RSA1_5' } } },
    ],
    [
      'a device bound to another key',
      'TEE_KEY_AMBIGUOUS',
      { submods: { cpu0: submodule(p256), gpu0: submodule(p521) } },
    ],
    [
      'a device bound to something else',
      'TEE_KEY_AMBIGUOUS',
      { submods: { cpu0: submodule(p256), gpu0: submodule('x') } },
    ],
    ['text for a key', 'TEE_KEY_INVALID', { 'tee-pubkey': 'key' }],
    ['a private key', 'TEE_KEY_INVALID', { 'tee-pubkey': { ...p256, d: 'AAAA' } }],
  ])('refuses %s', (_what, code, claims) => {
    expect(() => findTeePublicKey(claims as JsonObject)).toThrow(expect.objectContaining({ code }) as Error);
  });
});

describe('parseTeePublicKey', () => {
  it.each([
    ['P-256', p256],
    ['P-521', p521],
    ['RSA 2048', rsa],
    ['RSA 4096', rsaKey(4096)],
  ])('takes %s', (_what, jwk) => {
    expect(parseTeePublicKey(jwk)).toMatchObject({ algorithm: jwk['alg'] });
  });

  it.each([
    ['RSA1_5', 'TEE_KEY_ALGORITHM_UNSUPPORTED', { ...rsa, alg: 'RSA1_5' }],
    ['RSA-OAEP with SHA-1', 'TEE_KEY_ALGORITHM_UNSUPPORTED', { ...rsa, alg: 'RSA-OAEP' }],
    ['no algorithm', 'TEE_KEY_ALGORITHM_UNSUPPORTED', { ...p256, alg: undefined }],
    ['direct agreement', 'TEE_KEY_ALGORITHM_UNSUPPORTED', { ...p256, alg: 'ECDH-ES' }],
    ['an EC algorithm on RSA', 'TEE_KEY_ALGORITHM_UNSUPPORTED', { ...rsa, alg: 'ECDH-ES+A256KW' }],
    ['an RSA algorithm on EC', 'TEE_KEY_ALGORITHM_UNSUPPORTED', { ...p256, alg: 'RSA-OAEP-256' }],
    ['a symmetric key', 'TEE_KEY_ALGORITHM_UNSUPPORTED', { kty: 'oct', alg: 'dir' }],
    ['P-384', 'TEE_KEY_ALGORITHM_UNSUPPORTED', ecKey('P-384')],
    ['a point off the curve', 'TEE_KEY_INVALID', { ...p256, y: p256['x'] }],
    ['the point (0, 0)', 'TEE_KEY_INVALID', { ...p256, x: 'A'.repeat(43), y: 'A'.repeat(43) }],
    ['a point of another curve', 'TEE_KEY_INVALID', { ...p521, crv: 'P-256' }],
    ['short coordinates', 'TEE_KEY_INVALID', { ...p256, x: 'AAAA' }],
    ['coordinates in the other alphabet', 'TEE_KEY_INVALID', { ...p256, x: '+'.repeat(43) }],
    ['a missing coordinate', 'TEE_KEY_INVALID', { ...p256, y: undefined }],
    ['RSA 1024', 'TEE_KEY_INVALID', rsaKey(1024)],
    ['RSA 4104', 'TEE_KEY_INVALID', { ...rsa, n: Buffer.alloc(513, 0xff).toString('base64url') }],
    ['exponent 3', 'TEE_KEY_INVALID', rsaKey(2048, 3)],
    ['exponent 1', 'TEE_KEY_INVALID', { ...rsa, e: 'AQ' }],
    ['an even exponent', 'TEE_KEY_INVALID', { ...rsa, e: 'AQAA' }],
    ['a giant exponent', 'TEE_KEY_INVALID', { ...rsa, e: 'AQAAAAE' }],
    ['an even modulus', 'TEE_KEY_INVALID', { ...rsa, n: Buffer.alloc(256, 0xfe).toString('base64url') }],
    ['no modulus', 'TEE_KEY_INVALID', { ...rsa, n: undefined }],
  ])('refuses %s', (_what, code, jwk) => {
    expect(() => parseTeePublicKey(jwk as JsonObject)).toThrow(expect.objectContaining({ code }) as Error);
  });
});
