import { createHmac, type KeyObject, sign } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { CouldNotCheckError } from '../../../server/errors/could-not-check-error.ts';
import { createEarVerifier, type TrustedIssuer } from '../../../server/token/ear-verifier.ts';
import { dangerouslyTrustHeaderJwk, keySetFile } from '../../../server/token/key-source.ts';
import { AT, compact, fakeIssuer, GOOD_CLAIMS, NOW } from './fake-issuer.ts';

const issuer = fakeIssuer();
const other = fakeIssuer('ES256', 'key 1');
const TRUSTED: TrustedIssuer = {
  issuer: 'an attestation service',
  audience: undefined,
  profiles: undefined,
  keys: issuer.keys,
};
const verify = createEarVerifier({ issuers: [TRUSTED] });

describe('verifyEar', () => {
  it.each(['ES256', 'ES384', 'ES512', 'RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'EdDSA'])(
    'accepts %s',
    async (algorithm) => {
      const signer = fakeIssuer(algorithm);
      const accepted = await createEarVerifier({ issuers: [{ ...TRUSTED, keys: signer.keys }] })(
        signer.token(GOOD_CLAIMS),
        AT,
      );
      expect(accepted).toMatchObject({
        claims: GOOD_CLAIMS,
        issuer: 'an attestation service',
        id: 'token 1',
      });
      expect(accepted.expiresAt).toEqual(new Date((NOW + 300) * 1000));
    },
  );

  it.each([
    [
      'alg none',
      'TOKEN_ALGORITHM_UNSUPPORTED',
      compact({ alg: 'none', kid: 'key 1' }, GOOD_CLAIMS, () => new Uint8Array()),
    ],
    ['HS256 with the public key', 'TOKEN_ALGORITHM_UNSUPPORTED', hmacWithPublicKey()],
    [
      'an algorithm in lower case',
      'TOKEN_ALGORITHM_UNSUPPORTED',
      issuer.token(GOOD_CLAIMS, { alg: 'es256' }),
    ],
    [
      'another algorithm of the table',
      'TOKEN_ALGORITHM_MISMATCH',
      issuer.token(GOOD_CLAIMS, { alg: 'ES384' }),
    ],
    [
      'an RSA algorithm for an EC key',
      'TOKEN_ALGORITHM_MISMATCH',
      issuer.token(GOOD_CLAIMS, { alg: 'RS256' }),
    ],
    ['a signature in DER', 'TOKEN_SIGNATURE_INVALID', derSigned(issuer.privateKey)],
    [
      'an empty signature',
      'TOKEN_SIGNATURE_INVALID',
      compact({ alg: 'ES256', kid: 'key 1' }, GOOD_CLAIMS, () => new Uint8Array()),
    ],
    [
      'a signature of zeros',
      'TOKEN_SIGNATURE_INVALID',
      compact({ alg: 'ES256', kid: 'key 1' }, GOOD_CLAIMS, () => new Uint8Array(64)),
    ],
    ['a foreign signature', 'TOKEN_SIGNATURE_INVALID', other.token(GOOD_CLAIMS)],
    [
      'a foreign header key with the right kid',
      'TOKEN_SIGNATURE_INVALID',
      other.token(GOOD_CLAIMS, { jwk: other.publicJwk }),
    ],
    [
      'a foreign header key without kid',
      'TOKEN_KEY_UNKNOWN',
      other.token(GOOD_CLAIMS, { jwk: other.publicJwk, kid: undefined }),
    ],
    [
      'a header key that is none',
      'TOKEN_KEY_UNKNOWN',
      issuer.token(GOOD_CLAIMS, { jwk: {}, kid: undefined }),
    ],
    ['neither kid nor key', 'TOKEN_KEY_UNKNOWN', issuer.token(GOOD_CLAIMS, { kid: undefined })],
    [
      'jku and x5u',
      'TOKEN_KEY_UNKNOWN',
      other.token(GOOD_CLAIMS, { kid: undefined, jku: 'http://127.0.0.1:1/', x5u: 'http://127.0.0.1:1/' }),
    ],
    ['an unknown kid', 'TOKEN_KEY_UNKNOWN', issuer.token(GOOD_CLAIMS, { kid: 'key 2' })],
    ['a kid like a path', 'TOKEN_KEY_UNKNOWN', issuer.token(GOOD_CLAIMS, { kid: '../../etc/passwd' })],
    ['a kid like SQL', 'TOKEN_KEY_UNKNOWN', issuer.token(GOOD_CLAIMS, { kid: "' or 1=1 --" })],
    ['a kid like a property', 'TOKEN_KEY_UNKNOWN', issuer.token(GOOD_CLAIMS, { kid: '__proto__' })],
    ['another issuer', 'TOKEN_ISSUER_UNTRUSTED', issuer.token({ ...GOOD_CLAIMS, iss: 'somebody' })],
    ['no issuer', 'TOKEN_ISSUER_UNTRUSTED', issuer.token({ ...GOOD_CLAIMS, iss: undefined })],
    [
      'a list of issuers',
      'TOKEN_ISSUER_UNTRUSTED',
      issuer.token({ ...GOOD_CLAIMS, iss: ['an attestation service'] }),
    ],
    ['another audience', 'TOKEN_AUDIENCE_MISMATCH', issuer.token({ ...GOOD_CLAIMS, aud: 'somebody else' })],
    ['an expired token', 'TOKEN_EXPIRED', issuer.token({ ...GOOD_CLAIMS, exp: NOW - 60 })],
    ['no exp', 'TOKEN_CLAIM_MALFORMED', issuer.token({ ...GOOD_CLAIMS, exp: undefined })],
    ['exp as text', 'TOKEN_CLAIM_MALFORMED', issuer.token({ ...GOOD_CLAIMS, exp: String(NOW + 300) })],
    ['exp null', 'TOKEN_CLAIM_MALFORMED', issuer.token({ ...GOOD_CLAIMS, exp: null })],
    ['exp in the far future', 'TOKEN_CLAIM_MALFORMED', issuer.token({ ...GOOD_CLAIMS, exp: 1e300 })],
    ['exp below zero', 'TOKEN_CLAIM_MALFORMED', issuer.token({ ...GOOD_CLAIMS, exp: -1 })],
    ['nbf in the future', 'TOKEN_NOT_YET_VALID', issuer.token({ ...GOOD_CLAIMS, nbf: NOW + 61 })],
    ['iat in the future', 'TOKEN_NOT_YET_VALID', issuer.token({ ...GOOD_CLAIMS, iat: NOW + 61 })],
    ['nbf that is no time', 'TOKEN_CLAIM_MALFORMED', issuer.token({ ...GOOD_CLAIMS, nbf: {} })],
  ])('refuses %s', async (_what, code, token) => {
    await expect(verify(token, AT)).rejects.toMatchObject({ name: 'TokenError', code });
  });

  it.each([
    ['exp within the leeway', { exp: NOW - 59 }],
    ['exp with a fraction', { exp: NOW + 0.5 }],
    ['nbf within the leeway', { nbf: NOW + 60 }],
    ['no nbf and no iat', { nbf: undefined, iat: undefined }],
  ])('accepts %s', async (_what, claims) => {
    await expect(verify(issuer.token({ ...GOOD_CLAIMS, ...claims }), AT)).resolves.toBeDefined();
  });

  it('accepts a token without kid whose header holds one of the trusted keys', async () => {
    const jwk = { ...issuer.publicJwk, kid: undefined };
    await expect(verify(issuer.token(GOOD_CLAIMS, { kid: undefined, jwk }), AT)).resolves.toBeDefined();
  });

  it('checks the times of a token that it has seen', async () => {
    const token = issuer.token(GOOD_CLAIMS);
    await verify(token, AT);
    await expect(verify(token, new Date((NOW + 360) * 1000))).rejects.toMatchObject({
      code: 'TOKEN_EXPIRED',
    });
    await expect(verify(token, new Date((NOW - 61) * 1000))).rejects.toMatchObject({
      code: 'TOKEN_NOT_YET_VALID',
    });
  });

  it('refuses a token that it has seen once its key is withdrawn', async () => {
    let trusted = issuer;
    const verifyLive = createEarVerifier({
      issuers: [
        { ...TRUSTED, keys: { candidates: async (hint, at) => await trusted.keys.candidates(hint, at) } },
      ],
    });
    const token = issuer.token(GOOD_CLAIMS);
    await verifyLive(token, AT);
    trusted = other;
    await expect(verifyLive(token, AT)).rejects.toMatchObject({ code: 'TOKEN_SIGNATURE_INVALID' });
  });

  it('gives a token with a varied signature no other identity', async () => {
    const token = issuer.token(GOOD_CLAIMS);
    const varied = withOtherS(token);
    expect(varied).not.toBe(token);
    expect((await verify(varied, AT)).id).toBe((await verify(token, AT)).id);
  });

  it('refuses each flipped bit of payload and signature', async () => {
    const [header = '', payload = '', signature = ''] = issuer.token(GOOD_CLAIMS).split('.');
    const flip = (text: string, index: number): string => {
      const bytes = Buffer.from(text, 'base64url');
      bytes[index >> 3] = (bytes[index >> 3] ?? 0) ^ (1 << (index & 7));
      return bytes.toString('base64url');
    };
    const bits = (text: string): number[] =>
      Array.from({ length: Math.floor((text.length * 3) / 4) }, (_, byte) => byte * 8 + (byte % 8));
    const forged = [
      ...bits(payload).map((bit) => `${header}.${flip(payload, bit)}.${signature}`),
      ...bits(signature).map((bit) => `${header}.${payload}.${flip(signature, bit)}`),
    ];
    for (const token of forged) await expect(verify(token, AT)).rejects.toMatchObject({ name: 'TokenError' });
  });

  it('asks for the configured audience and profile', async () => {
    const strict = createEarVerifier({ issuers: [{ ...TRUSTED, audience: 'us', profiles: ['a profile'] }] });
    await expect(strict(issuer.token({ ...GOOD_CLAIMS, aud: ['them', 'us'] }), AT)).resolves.toBeDefined();
    await expect(strict(issuer.token({ ...GOOD_CLAIMS, aud: 'us' }), AT)).resolves.toBeDefined();
    await expect(strict(issuer.token(GOOD_CLAIMS), AT)).rejects.toMatchObject({
      code: 'TOKEN_AUDIENCE_MISMATCH',
    });
    await expect(
      strict(issuer.token({ ...GOOD_CLAIMS, aud: 'us', eat_profile: 'another' }), AT),
    ).rejects.toMatchObject({ code: 'TOKEN_PROFILE_NOT_ALLOWED' });
  });
});

describe('several issuers', () => {
  const twin: TrustedIssuer = { ...TRUSTED, keys: other.keys };

  it('tells issuers of one name by their keys', async () => {
    const both = createEarVerifier({ issuers: [TRUSTED, twin] });
    await expect(both(issuer.token(GOOD_CLAIMS), AT)).resolves.toBeDefined();
    await expect(both(other.token(GOOD_CLAIMS), AT)).resolves.toBeDefined();
  });

  it("does not take one issuer's key for another's name", async () => {
    const both = createEarVerifier({ issuers: [TRUSTED, { ...twin, issuer: 'the other' }] });
    await expect(both(other.token(GOOD_CLAIMS), AT)).rejects.toMatchObject({
      code: 'TOKEN_SIGNATURE_INVALID',
    });
  });

  it('says that it could not check when one issuer cannot be asked and no other accepts', async () => {
    const unreachable: TrustedIssuer = {
      ...TRUSTED,
      keys: {
        candidates: async () => {
          throw new CouldNotCheckError('ISSUER_KEYS_UNAVAILABLE', 'no answer');
        },
      },
    };
    const both = createEarVerifier({ issuers: [unreachable, TRUSTED] });
    await expect(both(issuer.token(GOOD_CLAIMS), AT)).resolves.toBeDefined();
    await expect(both(other.token(GOOD_CLAIMS), AT)).rejects.toMatchObject({
      code: 'ISSUER_KEYS_UNAVAILABLE',
    });
  });

  it('tries every key of one id', async () => {
    const keys = keySetFile(JSON.stringify({ keys: [other.publicJwk, issuer.publicJwk] }));
    await expect(
      createEarVerifier({ issuers: [{ ...TRUSTED, keys }] })(issuer.token(GOOD_CLAIMS), AT),
    ).resolves.toBeDefined();
  });
});

describe('dangerouslyTrustHeaderJwk', () => {
  const trusting = createEarVerifier({ issuers: [{ ...TRUSTED, keys: dangerouslyTrustHeaderJwk() }] });

  it('believes the key of the header', async () => {
    await expect(trusting(other.token(GOOD_CLAIMS, { jwk: other.publicJwk }), AT)).resolves.toBeDefined();
  });

  it.each([
    ['no key', 'TOKEN_KEY_UNKNOWN', other.token(GOOD_CLAIMS)],
    ['a key that is none', 'TOKEN_MALFORMED', other.token(GOOD_CLAIMS, { jwk: { kty: 'EC' } })],
    ['another key', 'TOKEN_SIGNATURE_INVALID', other.token(GOOD_CLAIMS, { jwk: issuer.publicJwk })],
  ])('refuses %s', async (_what, code, token) => {
    await expect(trusting(token, AT)).rejects.toMatchObject({ code });
  });
});

function hmacWithPublicKey(): string {
  const secret = JSON.stringify(issuer.publicJwk);
  return compact({ alg: 'HS256', kid: 'key 1' }, GOOD_CLAIMS, (data) =>
    createHmac('sha256', secret).update(data).digest(),
  );
}

function derSigned(key: KeyObject): string {
  return compact({ alg: 'ES256', kid: 'key 1' }, GOOD_CLAIMS, (data) => sign('sha256', data, key));
}

/** (r, n - s) is a signature of the same key over the same bytes. */
function withOtherS(token: string): string {
  const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
  const [header = '', payload = '', signature = ''] = token.split('.');
  const bytes = Buffer.from(signature, 'base64url');
  const s = order - BigInt(`0x${bytes.subarray(32).toString('hex')}`);
  const varied = Buffer.concat([bytes.subarray(0, 32), Buffer.from(s.toString(16).padStart(64, '0'), 'hex')]);
  return `${header}.${payload}.${varied.toString('base64url')}`;
}
