import { type FlattenedJWE, flattenedDecrypt } from 'jose';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { CouldNotCheckError } from '../../../server/errors/could-not-check-error.ts';
import { PolicyError } from '../../../server/policy/policy.ts';
import { AT, fakeIssuer, GOOD_CLAIMS } from '../token/fake-issuer.ts';
import { type FakeKbs, startFakeKbs, teeKey } from './fake-kbs.ts';
import { attestedSession, bearer, ERROR_TYPE, putResource, SECRET_PATH } from './resource-client.ts';
import { begin } from './sample-guest.ts';

const key = teeKey();
let kbs: FakeKbs;
let verdict: boolean | Error;

beforeAll(async () => {
  kbs = await startFakeKbs({
    allows: () => {
      if (verdict instanceof Error) throw verdict;
      return verdict;
    },
  });
  await putResource(kbs, SECRET_PATH, 'shhhhhhh');
});

beforeEach(() => {
  verdict = true;
  kbs.setTime(AT);
});

afterAll(async () => {
  await kbs.close();
});

describe('GET /kbs/v0/resource', () => {
  it('releases a resource to the TEE of an attested session', async () => {
    const session = await attestedSession(kbs, key);
    const response = await kbs.app.inject({ url: SECRET_PATH, headers: { cookie: session } });
    expect(response.statusCode).toBe(200);
    expect(response.headers['content-type']).toMatch(/^application\/json/);
    expect(response.headers['cache-control']).toBe('no-store');
    expect(response.headers).not.toHaveProperty('set-cookie');
    expect(Object.keys(response.json<object>())).toEqual([
      'protected',
      'encrypted_key',
      'iv',
      'ciphertext',
      'tag',
    ]);
    const { plaintext } = await flattenedDecrypt(response.json<FlattenedJWE>(), key.privateKey);
    expect(Buffer.from(plaintext).toString()).toBe('shhhhhhh');
    expect(response.body).not.toContain('shhhhhhh');
  });

  it('releases a resource to the bearer of a token, and records what it saw before it answers', async () => {
    const response = await kbs.app.inject({ url: SECRET_PATH, headers: bearer(kbs.earFor(key.publicJwk)) });
    expect(response.statusCode).toBe(200);
    const [decision] = await kbs.decisions();
    expect(decision).toEqual({
      id: response.headers['verigo-decision-id'],
      at: AT,
      kind: 'release',
      outcome: 'granted',
      code: undefined,
      subject: 'resource default/test/secret',
      policy: { name: 'resource-policy', sha384: kbs.policySha384 },
      evidenceSha256: undefined,
      detail: {
        token: { jti: 'a token', issuer: 'CoCo-Attestation-Service' },
        submods: { cpu0: { status: 'affirming', trust_vector: { hardware: 2 } } },
      },
    });
  });

  it('prefers the session to a token, and uses the token where there is no session', async () => {
    const session = await attestedSession(kbs, key);
    const other = teeKey();
    const both = await kbs.app.inject({
      url: SECRET_PATH,
      headers: { cookie: session, ...bearer(kbs.earFor(other.publicJwk)) },
    });
    await expect(flattenedDecrypt(both.json<FlattenedJWE>(), key.privateKey)).resolves.toBeDefined();
    const { cookie } = await begin(kbs.app);
    for (const noSession of ['kbs-session-id=s.unknown', cookie, 'kbs-session-id=x']) {
      const response = await kbs.app.inject({
        url: SECRET_PATH,
        headers: { cookie: noSession, ...bearer(kbs.earFor(other.publicJwk)) },
      });
      await expect(flattenedDecrypt(response.json<FlattenedJWE>(), other.privateKey)).resolves.toBeDefined();
    }
  });

  it('answers nothing that can be used twice', async () => {
    const headers = bearer(kbs.earFor(key.publicJwk));
    const [first, second] = await Promise.all([
      kbs.app.inject({ url: SECRET_PATH, headers }),
      kbs.app.inject({ url: SECRET_PATH, headers }),
    ]);
    expect(first.json<FlattenedJWE>().iv).not.toBe(second.json<FlattenedJWE>().iv);
    expect(first.json<FlattenedJWE>().protected).not.toBe(second.json<FlattenedJWE>().protected);
  });

  it.each([
    ['no credential', {}],
    ['a handshake that was not attested', 'handshake'],
    ['an unknown session', { cookie: 'kbs-session-id=s.AAAA' }],
    ['another scheme', { authorization: 'Basic QQ==' }],
    ['an empty bearer', { authorization: 'Bearer ' }],
  ])('asks %s to attest first, and records nothing', async (_what, given) => {
    const before = await kbs.rows('decision');
    const headers = typeof given === 'string' ? { cookie: (await begin(kbs.app)).cookie } : given;
    const response = await kbs.app.inject({ url: SECRET_PATH, headers });
    expect([response.statusCode, response.json()]).toMatchObject([
      401,
      { type: `${ERROR_TYPE}TokenNotFound` },
    ]);
    expect(await kbs.rows('decision')).toBe(before);
  });

  it('takes a session no longer than it lasts', async () => {
    const session = await attestedSession(kbs, key);
    kbs.setTime(new Date(AT.getTime() + 300_000));
    expect((await kbs.app.inject({ url: SECRET_PATH, headers: { cookie: session } })).json()).toMatchObject({
      type: `${ERROR_TYPE}TokenNotFound`,
    });
  });

  it.each<[string, number, string, string, () => string]>([
    [
      'a foreign token',
      401,
      'TokenVerifierError',
      'TOKEN_ISSUER_UNTRUSTED',
      () => fakeIssuer().token(GOOD_CLAIMS),
    ],
    ['a token that is none', 401, 'TokenVerifierError', 'TOKEN_MALFORMED', () => 'token'],
    ["an administrator's token", 401, 'TokenVerifierError', 'TOKEN_ISSUER_UNTRUSTED', () => kbs.adminToken()],
    ['a token without a key', 401, 'TokenVerifierError', 'TEE_KEY_INVALID', () => kbs.earFor(['no key'])],
    [
      'a key off its curve',
      401,
      'TokenVerifierError',
      'TEE_KEY_INVALID',
      () => kbs.earFor({ ...key.publicJwk, y: key.publicJwk['x'] }),
    ],
    [
      'a key of another algorithm',
      401,
      'JweError',
      'TEE_KEY_ALGORITHM_UNSUPPORTED',
      () => kbs.earFor({ ...key.publicJwk, alg: 'RSA1_5' }),
    ],
  ])('refuses %s', async (_what, status, type, code, token) => {
    await expectRefusal({ headers: bearer(token()) }, status, type, code, 'denied');
  });

  it('refuses what the policy denies', async () => {
    verdict = false;
    await expectRefusal({}, 401, 'PolicyDeny', 'POLICY_DENIED', 'denied');
  });

  it('says to nobody whom the policy denies whether there is a resource', async () => {
    verdict = false;
    const headers = bearer(kbs.earFor(key.publicJwk));
    const there = await kbs.app.inject({ url: SECRET_PATH, headers });
    const missing = await kbs.app.inject({ url: `${SECRET_PATH}2`, headers });
    const anonymous = (body: string) => body.replaceAll(/decision [\w-]+|secret2?/g, '');
    expect(missing.statusCode).toBe(there.statusCode);
    expect(anonymous(missing.body)).toBe(anonymous(there.body));
  });

  it('says to whom the policy allows that there is none', async () => {
    await expectRefusal(
      { url: `${SECRET_PATH}2` },
      404,
      'PluginInternalError',
      'RESOURCE_NOT_FOUND',
      'denied',
    );
  });

  it.each<[string, number, string, string, Error]>([
    [
      'fails',
      500,
      'PolicyEngineError',
      'POLICY_EVALUATION_FAILED',
      new PolicyError('POLICY_EVALUATION_FAILED', 'broken'),
    ],
    ['is missing', 500, 'PolicyEngineError', 'POLICY_NOT_FOUND', new PolicyError('POLICY_NOT_FOUND', 'none')],
    [
      'never ends',
      503,
      'PolicyEngineError',
      'POLICY_DEADLINE_EXCEEDED',
      new PolicyError('POLICY_DEADLINE_EXCEEDED', 'slow'),
    ],
    [
      'cannot be had',
      503,
      'PluginInternalError',
      'POLICY_UNAVAILABLE',
      new CouldNotCheckError('POLICY_UNAVAILABLE', 'down'),
    ],
    ['breaks unexpectedly', 500, 'PluginInternalError', 'INTERNAL_ERROR', new Error('secret detail')],
  ])('releases nothing when the policy %s', async (_what, status, type, code, failure) => {
    verdict = failure;
    const response = await expectRefusal({}, status, type, code, 'failed');
    expect(response.body).not.toContain('secret detail');
  });
});

async function expectRefusal(
  request: { readonly url?: string; readonly headers?: Record<string, string> },
  status: number,
  type: string,
  code: string,
  outcome: string,
) {
  const before = await kbs.rows('decision');
  const response = await kbs.app.inject({
    url: SECRET_PATH,
    headers: bearer(kbs.earFor(key.publicJwk)),
    ...request,
  });
  expect([response.statusCode, response.headers['verigo-code']]).toEqual([status, code]);
  const id = String(response.headers['verigo-decision-id']);
  expect(response.json()).toEqual({
    type: ERROR_TYPE + type,
    detail: expect.stringContaining(`(decision ${id})`) as string,
  });
  expect(await kbs.rows('decision')).toBe(before + 1);
  expect((await kbs.decisions())[0]).toMatchObject({ id, kind: 'release', outcome, code });
  return response;
}
