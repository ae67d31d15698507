import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { base64url, decodeJwt, decodeProtectedHeader } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type Administrator,
  createAdministrator,
  SAMPLE_REFERENCE_VALUES,
} from '../harness/administrator.ts';
import { attest, createGuestKey, getResource, openResource, sampleSource } from '../harness/guest.ts';
import { type HttpReply, send } from '../harness/http.ts';
import { type RunningVerigo, startVerigo } from '../harness/serve-verigo.ts';
import {
  affirmedClaims,
  createTokenIssuer,
  hmacToken,
  joinToken,
  type TokenClaims,
  withOtherSignature,
} from '../harness/token-issuer.ts';

const RESOURCE = 'default/token/secret';
const ISSUER = 'https://issuer.test';
const key = createGuestKey();
const issuer = createTokenIssuer('issuer-key-1');
const attacker = generateKeyPairSync('ec', { namedCurve: 'P-256' });

let folder: string;
let verigo: RunningVerigo;
let second: RunningVerigo;
let administrator: Administrator;
/** A token of the server's own, which opens the resource. */
let own: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'verigo-issuer-'));
  const jwks = join(folder, 'jwks.json');
  writeFileSync(jwks, JSON.stringify(issuer.jwks));
  second = await startVerigo({ config: { attestation: { issuer: 'second-service' } } });
  const gone = await startVerigo();
  await gone.close();
  verigo = await startVerigo({
    config: {
      kbs: {
        issuers: [
          { issuer: ISSUER, jwks_file: jwks, profiles: ['tag:test,2026:ear'] },
          { issuer: 'https://named.test', jwks_file: jwks, audience: 'key-broker-1' },
          { issuer: 'second-service', jwks_url: `${second.url}/.well-known/jwks.json` },
          { issuer: 'gone-service', jwks_url: `${gone.url}/.well-known/jwks.json` },
        ],
      },
    },
  });
  administrator = createAdministrator(verigo.url, await verigo.adminToken());
  await administrator.putResource(RESOURCE, 'secret');
  await administrator.setReferenceValues(SAMPLE_REFERENCE_VALUES);
  await createAdministrator(second.url, await second.adminToken()).setReferenceValues(
    SAMPLE_REFERENCE_VALUES,
  );
  own = (await attest(verigo.url, sampleSource, key)).token;
});
afterAll(async () => {
  await Promise.all([verigo.close(), second.close()]);
  rmSync(folder, { recursive: true, force: true });
});

const open = async (token: string): Promise<HttpReply> => await getResource(verigo.url, RESOURCE, { token });

const claims = (changes: TokenClaims = {}): TokenClaims => affirmedClaims(ISSUER, key.publicJwk, changes);
const signed = issuer.sign;

describe('a token that is accepted', () => {
  test("the server's own", async () => {
    expect(await openResource(await open(own), key)).toBe('secret');
  });

  test('of an issuer whose keys lie in a file', async () => {
    expect(await openResource(await open(await signed(claims())), key)).toBe('secret');
  });

  test('for the audience that the broker is to the issuer', async () => {
    const token = await signed(claims({ iss: 'https://named.test', aud: ['key-broker-1', 'another'] }));
    expect(await openResource(await open(token), key)).toBe('secret');
  });

  test('of a second attestation service, whose keys are fetched', async () => {
    const { token } = await attest(second.url, sampleSource, key);
    expect(await openResource(await open(token), key)).toBe('secret');
  });

  test('of a second attestation service is not a token of the first', async () => {
    const { token } = await attest(second.url, sampleSource, key);
    const payload = { ...decodeJwt(token), iss: decodeJwt(own).iss! };
    const [header, , signature] = token.split('.') as [string, string, string];
    expect(await open(`${header}.${base64url.encode(JSON.stringify(payload))}.${signature}`)).toMatchObject({
      status: 401,
      code: 'TOKEN_KEY_UNKNOWN',
    });
  });
});

const attackersJwk = { ...attacker.publicKey.export({ format: 'jwk' }), alg: 'ES256' };

const refused: readonly (readonly [string, string, () => string | Promise<string>])[] = [
  ['alg none', 'TOKEN_ALGORITHM_UNSUPPORTED', () => joinToken({ alg: 'none', kid: issuer.keyId }, claims())],
  [
    'alg none with a signature',
    'TOKEN_ALGORITHM_UNSUPPORTED',
    () => joinToken({ alg: 'none', kid: issuer.keyId }, claims(), 'AAAA'),
  ],
  [
    'alg in lower case',
    'TOKEN_ALGORITHM_UNSUPPORTED',
    async () =>
      (await signed(claims())).replace(
        /^[^.]+/,
        base64url.encode(JSON.stringify({ alg: 'es256', kid: issuer.keyId })),
      ),
  ],
  [
    'HS256 with the public key as the secret',
    'TOKEN_ALGORITHM_UNSUPPORTED',
    () => hmacToken({ alg: 'HS256', kid: issuer.keyId }, claims(), issuer.publicPem),
  ],
  [
    'HS256 with the own public key as the secret',
    'TOKEN_ALGORITHM_UNSUPPORTED',
    () =>
      hmacToken(
        { ...decodeProtectedHeader(own), alg: 'HS256' },
        decodeJwt(own),
        JSON.stringify(decodeProtectedHeader(own).jwk),
      ),
  ],
  [
    "another algorithm than the key's",
    'TOKEN_ALGORITHM_MISMATCH',
    async () =>
      await signed(claims(), { alg: 'ES384' }, generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey),
  ],
  [
    "an attacker's key under the right kid",
    'TOKEN_SIGNATURE_INVALID',
    async () => await signed(claims(), {}, attacker.privateKey),
  ],
  [
    "an attacker's key in the header",
    'TOKEN_KEY_UNKNOWN',
    async () => await signed(claims(), { kid: undefined, jwk: attackersJwk }, attacker.privateKey),
  ],
  [
    "an attacker's key in the header under the right kid",
    'TOKEN_SIGNATURE_INVALID',
    async () => await signed(claims(), { jwk: attackersJwk }, attacker.privateKey),
  ],
  [
    "an attacker's key in the header of an own token",
    'TOKEN_KEY_UNKNOWN',
    async () => await signed(decodeJwt(own), { kid: undefined, jwk: attackersJwk }, attacker.privateKey),
  ],
  [
    'a key set of the attacker (jku)',
    'TOKEN_KEY_UNKNOWN',
    async () =>
      await signed(claims(), { kid: 'x', jku: `${second.url}/.well-known/jwks.json` }, attacker.privateKey),
  ],
  ['an unknown kid', 'TOKEN_KEY_UNKNOWN', async () => await signed(claims(), { kid: 'nobody' })],
  [
    'a kid that is a path',
    'TOKEN_KEY_UNKNOWN',
    async () => await signed(claims(), { kid: '../../etc/passwd' }),
  ],
  [
    'an issuer that nobody trusts',
    'TOKEN_ISSUER_UNTRUSTED',
    async () => await signed(claims({ iss: 'https://attacker.test' })),
  ],
  ['no issuer', 'TOKEN_ISSUER_UNTRUSTED', async () => await signed(claims({ iss: undefined }))],
  [
    'an expired one',
    'TOKEN_EXPIRED',
    async () => await signed(claims({ exp: Math.floor(Date.now() / 1000) - 61 })),
  ],
  [
    'one that is not valid yet',
    'TOKEN_NOT_YET_VALID',
    async () => await signed(claims({ nbf: Math.floor(Date.now() / 1000) + 120 })),
  ],
  [
    'one issued in the future',
    'TOKEN_NOT_YET_VALID',
    async () => await signed(claims({ iat: Math.floor(Date.now() / 1000) + 120 })),
  ],
  ['no expiry', 'TOKEN_CLAIM_MALFORMED', async () => await signed(claims({ exp: undefined }))],
  [
    'an expiry as text',
    'TOKEN_CLAIM_MALFORMED',
    async () => await signed({ ...claims(), exp: '9999999999' }),
  ],
  [
    'another audience',
    'TOKEN_AUDIENCE_MISMATCH',
    async () => await signed(claims({ iss: 'https://named.test', aud: 'key-broker-2' })),
  ],
  [
    'no audience where one is expected',
    'TOKEN_AUDIENCE_MISMATCH',
    async () => await signed(claims({ iss: 'https://named.test' })),
  ],
  [
    'an audience where none is expected',
    'TOKEN_AUDIENCE_MISMATCH',
    async () => await signed(claims({ aud: 'key-broker-1' })),
  ],
  [
    'another profile',
    'TOKEN_PROFILE_NOT_ALLOWED',
    async () => await signed(claims({ eat_profile: 'tag:other' })),
  ],
  [
    'a critical extension',
    'TOKEN_EXTENSION_UNSUPPORTED',
    () => joinToken({ alg: 'ES256', kid: issuer.keyId, crit: ['exp'] }, claims(), 'A'.repeat(86)),
  ],
  ['no bound key', 'TEE_KEY_MISSING', async () => await signed(claims({ cnf: undefined }))],
  [
    'two bound keys that differ',
    'TEE_KEY_AMBIGUOUS',
    async () => await signed(claims({ 'tee-pubkey': createGuestKey().publicJwk })),
  ],
  [
    'a bound key for RSA1_5',
    'TEE_KEY_ALGORITHM_UNSUPPORTED',
    async () => await signed(claims({ cnf: { jwk: { ...createGuestKey('RSA').publicJwk, alg: 'RSA1_5' } } })),
  ],
  [
    'a bound key off its curve',
    'TEE_KEY_INVALID',
    async () => await signed(claims({ cnf: { jwk: { ...key.publicJwk, x: key.publicJwk['y'] } } })),
  ],
  [
    'a bound key with its private part',
    'TEE_KEY_INVALID',
    async () => await signed(claims({ cnf: { jwk: { ...key.publicJwk, d: 'AAAA' } } })),
  ],
  [
    'a bit of the signature changed',
    'TOKEN_SIGNATURE_INVALID',
    async () => withOtherSignature(await signed(claims())),
  ],
  ['text that is no token', 'TOKEN_MALFORMED', () => 'abc'],
  ['four parts', 'TOKEN_MALFORMED', async () => `${await signed(claims())}.AAAA`],
  ['five parts, as of an encrypted one', 'TOKEN_MALFORMED', () => 'a.b.c.d.e'],
];

describe('a token that is refused', () => {
  test.each(refused)('%s: %s', async (_what, code, make) => {
    const reply = await open(await make());
    expect({ status: reply.status, code: reply.code }).toEqual({ status: 401, code });
    expect((reply.json() as { type: string }).type).toMatch(
      /^https:\/\/github.com\/confidential-containers\/kbs\/errors\/(TokenVerifierError|JweError)$/,
    );
    expect(await administrator.decision(reply.decisionId)).toMatchObject({
      kind: 'release',
      outcome: 'denied',
      code,
    });
  });

  test('of an issuer whose keys cannot be had, for now', async () => {
    const reply = await open(await signed(claims({ iss: 'gone-service' })));
    expect(reply).toMatchObject({ status: 503, code: 'ISSUER_KEYS_UNAVAILABLE' });
    expect(reply.headers.get('retry-after')).not.toBeNull();
    expect(await administrator.decision(reply.decisionId)).toMatchObject({ outcome: 'failed' });
  });

  test('of evidence that was bound to no key', async () => {
    const report = { svn: '1', report_data: '' };
    const json = {
      verification_requests: [{ tee: 'sample', evidence: base64url.encode(JSON.stringify(report)) }],
      policy_ids: [],
    };
    const { text } = await send(verigo.url, '/attestation', { json });
    expect(decodeJwt(text)).not.toHaveProperty('cnf');
    expect(await open(text)).toMatchObject({ status: 401, code: 'TEE_KEY_MISSING' });
  });

  test('none, or another kind of credentials', async () => {
    expect(await send(verigo.url, `/kbs/v0/resource/${RESOURCE}`)).toMatchObject({
      status: 401,
      code: 'TOKEN_NOT_FOUND',
    });
    const authorization = `Basic ${base64url.encode('admin:admin')}`;
    expect(
      await send(verigo.url, `/kbs/v0/resource/${RESOURCE}`, { headers: { authorization } }),
    ).toMatchObject({ status: 401, code: 'TOKEN_NOT_FOUND' });
  });
});
