import { generateKeyPairSync } from 'node:crypto';
import { calculateJwkThumbprint, decodeProtectedHeader, importJWK, type JWK, jwtVerify } from 'jose';
import { describe, expect, it } from 'vitest';
import {
  DEFAULT_EAR_ISSUER,
  type EarContent,
  type EarSubmodule,
  mintEar,
} from '../../../server/token/ear.ts';
import { createEarVerifier } from '../../../server/token/ear-verifier.ts';
import { liveKeys } from '../../../server/token/key-source.ts';
import { makeSigningKey, signingKeyFromStore } from '../../../server/token/signing-key.ts';
import { parseVerificationKey } from '../../../server/token/verification-key.ts';
import { AT, NOW } from './fake-issuer.ts';

const key = signingKeyFromStore(makeSigningKey().secret);
const teePublicKey = {
  ...generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' }),
  alg: 'ECDH-ES+A256KW',
} as unknown as NonNullable<EarContent['teePublicKey']>;

const CPU: EarSubmodule = {
  name: 'cpu0',
  trustVector: { hardware: 97, configuration: 2, executables: 33, 'instance-identity': 0 },
  policyId: 'default',
  policy: { name: 'default_cpu', sha384: 'ab'.repeat(48) },
  annotatedEvidence: { sample: { svn: '1', debug: false }, report_data: 'AA==', a: [{ z: 1, b: 2 }] },
  extensions: { 'ear.trustee.identifiers': { validated: {} } },
  isSimulated: true,
};
const CONTENT: EarContent = { id: 'decision 1', submodules: [CPU], teePublicKey, nonce: 'a nonce' };

function payloadOf(
  token: string,
): Record<string, unknown> & { submods: Record<string, Record<string, unknown>> } {
  return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as never;
}

describe('mintEar', () => {
  const token = mintEar(CONTENT, DEFAULT_EAR_ISSUER, key, AT);

  it('is verified by another implementation with the key that its header carries', async () => {
    const header = decodeProtectedHeader(token);
    const verified = await jwtVerify(token, await importJWK(header.jwk as JWK), {
      currentDate: AT,
      issuer: 'CoCo-Attestation-Service',
      algorithms: ['ES256'],
      requiredClaims: ['exp', 'nbf', 'iat', 'jti'],
    });
    expect(verified.payload.jti).toBe('decision 1');
  });

  it('is verified by our own key broker', async () => {
    const keys = [parseVerificationKey(key.publicJwk)];
    const issuer = DEFAULT_EAR_ISSUER.issuer;
    const verify = createEarVerifier({
      issuers: [
        { issuer, audience: undefined, profiles: [DEFAULT_EAR_ISSUER.profile], keys: liveKeys(() => keys) },
      ],
    });
    await expect(verify(token, AT)).resolves.toMatchObject({ id: 'decision 1' });
  });

  it('has the header that upstream reads', async () => {
    const header = decodeProtectedHeader(token);
    expect(Object.keys(header)).toEqual(['typ', 'alg', 'jwk', 'kid']);
    expect(header).toMatchObject({
      typ: 'JWT',
      alg: 'ES256',
      jwk: { kty: 'EC', crv: 'P-256', alg: 'ES256' },
    });
    expect(header.kid).toBe(await calculateJwkThumbprint(header.jwk as JWK));
  });

  it("has upstream's claims in upstream's order, then ours", () => {
    const payload = payloadOf(token);
    expect(Object.keys(payload)).toEqual([
      'eat_profile',
      'iat',
      'ear.verifier-id',
      'submods',
      'exp',
      'iss',
      'nbf',
      'jti',
      'cnf',
      'eat_nonce',
    ]);
    expect(payload).toMatchObject({
      eat_profile: 'tag:github.com,2024:confidential-containers/Trustee',
      iat: NOW,
      nbf: NOW,
      exp: NOW + 300,
      'ear.verifier-id': {
        developer: 'https://confidentialcontainers.org',
        build: 'attestation-service 0.1.0',
      },
      cnf: { jwk: teePublicKey },
      eat_nonce: 'a nonce',
    });
  });

  it('states each submodule as upstream does', () => {
    const cpu = payloadOf(token).submods['cpu0'] ?? {};
    expect(Object.keys(cpu)).toEqual([
      'ear.status',
      'ear.trustworthiness-vector',
      'ear.appraisal-policy-id',
      'ear.veraison.annotated-evidence',
      'ear.trustee.identifiers',
      'ear.verigo.policy',
      'ear.verigo.simulated',
    ]);
    expect(cpu['ear.status']).toBe('contraindicated');
    expect(JSON.stringify(cpu['ear.trustworthiness-vector'])).toBe(
      '{"instance-identity":0,"configuration":2,"executables":33,"hardware":97}',
    );
    expect(JSON.stringify(cpu['ear.veraison.annotated-evidence'])).toBe(
      '{"a":[{"b":2,"z":1}],"report_data":"AA==","sample":{"debug":false,"svn":"1"}}',
    );
    expect(cpu['ear.verigo.policy']).toEqual({ name: 'default_cpu', sha384: 'ab'.repeat(48) });
    expect(cpu['ear.verigo.simulated']).toBe(true);
  });

  it('leaves out what is not set', () => {
    const bare = mintEar(
      { ...CONTENT, nonce: undefined, teePublicKey: undefined, submodules: [{ ...CPU, isSimulated: false }] },
      DEFAULT_EAR_ISSUER,
      key,
      AT,
    );
    expect(payloadOf(bare)).not.toHaveProperty('cnf');
    expect(payloadOf(bare)).not.toHaveProperty('eat_nonce');
    expect(payloadOf(bare)).not.toHaveProperty('aud');
    expect(payloadOf(bare).submods['cpu0']).not.toHaveProperty(['ear.verigo.simulated']);
  });

  it('names the configured audience', () => {
    expect(payloadOf(mintEar(CONTENT, { ...DEFAULT_EAR_ISSUER, audience: 'kbs' }, key, AT))['aud']).toBe(
      'kbs',
    );
  });

  it.each([
    ['a private key', { ...teePublicKey, d: 'AAAA' }],
    ['a key without a type', {}],
  ])('does not confirm %s', (_what, bad) => {
    expect(
      payloadOf(mintEar({ ...CONTENT, teePublicKey: bad }, DEFAULT_EAR_ISSUER, key, AT)),
    ).not.toHaveProperty('cnf');
  });

  it.each([
    'ear.status',
    'ear.trustworthiness-vector',
    'ear.veraison.annotated-evidence',
    'ear.verigo.simulated',
  ])('refuses a policy that sets %s by itself', (name) => {
    const submodules = [{ ...CPU, extensions: { [name]: 'affirming' } }] as const;
    expect(() => mintEar({ ...CONTENT, submodules }, DEFAULT_EAR_ISSUER, key, AT)).toThrow(
      expect.objectContaining({ code: 'EXTENSION_NAME_RESERVED' }) as Error,
    );
  });
});
