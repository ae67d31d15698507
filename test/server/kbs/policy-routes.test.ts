import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { CouldNotCheckError } from '../../../server/errors/could-not-check-error.ts';
import { PolicyError } from '../../../server/policy/policy.ts';
import { type FakeKbs, startFakeKbs } from './fake-kbs.ts';
import { bearer, ERROR_TYPE } from './resource-client.ts';

const REGO = 'package policy\nallow = true # ✓';
const BODY = { policy: Buffer.from(REGO).toString('base64url') };
let kbs: FakeKbs;
let set: string[];
let failure: Error | undefined;

beforeAll(async () => {
  kbs = await startFakeKbs({
    setPolicy: async (rego) => {
      if (failure !== undefined) throw failure;
      set.push(rego);
      return { warnings: ['no rule "allow"', 'another\nline'], decisionId: 'a decision' };
    },
    acls: [
      { role: 'admin', allowedEndpoints: '^/kbs/v0/.*$' },
      { role: 'reader', allowedEndpoints: '^/kbs/v0/reference-value/[a-zA-Z0-9]+$' },
    ],
    referenceValues: new Map<string, readonly string[] | null>([
      ['svn', ['1']],
      ['rvps:///a/b:v1', ['2']],
      ['nothing', null],
    ]),
  });
});

beforeEach(() => {
  set = [];
  failure = undefined;
});

afterAll(async () => {
  await kbs.close();
});

const post = async (url: string, payload: unknown, token = kbs.adminToken()) =>
  await kbs.app.inject({ method: 'POST', url, headers: bearer(token), payload: payload as object });

describe.each([
  ['/kbs/v0/resource-policy', 'ParsePolicyError', 'PolicyEngineError', BODY],
  [
    '/kbs/v0/attestation-policy',
    'AttestationError',
    'AttestationError',
    { ...BODY, policy_id: 'default_cpu', type: 'rego' },
  ],
])('POST %s', (url, parseType, engineType, body) => {
  it('hands the policy on, and its warnings back', async () => {
    const response = await post(url, body);
    expect([response.statusCode, response.body]).toEqual([200, '']);
    expect(set).toEqual([REGO]);
    expect(response.headers.warning).toEqual([`299 verigo "no rule 'allow'"`, '299 verigo "another line"']);
    expect(response.headers['verigo-decision-id']).toBe('a decision');
  });

  it.each([
    ['no policy', {}],
    ['a policy that is no text', { ...body, policy: 1 }],
    ['padded base64', { ...body, policy: `${BODY.policy}==` }],
    ['no UTF-8', { ...body, policy: '_w' }],
    ['no JSON', 'x'],
  ])('refuses %s', async (_what, payload) => {
    const response = await post(url, payload);
    expect(response.statusCode).toBe(400);
    expect(response.json()).toMatchObject({ type: ERROR_TYPE + parseType });
    expect(set).toEqual([]);
  });

  it.each<[number, Error]>([
    [400, new PolicyError('POLICY_DOES_NOT_COMPILE', 'line 1: x')],
    [400, new PolicyError('POLICY_NAME_INVALID', 'name')],
    [413, new PolicyError('POLICY_TOO_LARGE', 'large')],
    [503, new PolicyError('POLICY_COMPILER_UNAVAILABLE', 'no OPA')],
  ])('answers %d when the policy is refused', async (status, error) => {
    failure = error;
    const response = await post(url, body);
    expect(response.statusCode).toBe(status);
    expect(response.json()).toEqual({ type: ERROR_TYPE + engineType, detail: error.message });
  });

  it('asks to try again when it could not be stored', async () => {
    failure = new CouldNotCheckError('STORAGE_UNAVAILABLE', 'no database');
    const response = await post(url, body);
    expect([response.statusCode, response.headers['retry-after']]).toEqual([503, '1']);
  });

  it('is for administrators', async () => {
    const response = await post(url, body, kbs.adminToken({ role: 'reader' }));
    expect([response.statusCode, response.json()]).toEqual([
      401,
      { type: `${ERROR_TYPE}AdminAuthAccess`, detail: `Role reader not allowed for path ${url}` },
    ]);
    expect(set).toEqual([]);
  });
});

describe('GET /kbs/v0/resource-policy', () => {
  it('names the policies', async () => {
    const response = await kbs.app.inject({
      url: '/kbs/v0/resource-policy',
      headers: bearer(kbs.adminToken()),
    });
    expect(response.json()).toEqual(['resource-policy']);
  });

  it('is for administrators', async () => {
    expect((await kbs.app.inject('/kbs/v0/resource-policy')).statusCode).toBe(401);
  });
});

describe('GET /kbs/v0/reference-value', () => {
  const get = async (name: string, token = kbs.adminToken()) =>
    await kbs.app.inject({ url: `/kbs/v0/reference-value/${name}`, headers: bearer(token) });

  it.each([
    ['svn', ['1']],
    ['rvps:///a/b:v1', ['2']],
    ['rvps%3A%2F%2F%2Fa%2Fb%3Av1', ['2']],
    ['nothing', null],
  ])('reads %s', async (name, value) => {
    const response = await get(name);
    expect([response.statusCode, response.json()]).toEqual([200, value]);
    expect(response.headers['content-type']).toMatch(/^application\/json/);
  });

  it('says when there is none', async () => {
    const response = await get('unknown');
    expect([response.statusCode, response.json()]).toMatchObject([404, { type: `${ERROR_TYPE}RvpsError` }]);
  });

  it('lets a role read what its rule names and nothing else', async () => {
    const reader = kbs.adminToken({ role: 'reader' });
    expect((await get('svn', reader)).statusCode).toBe(200);
    expect((await get('rvps%3A%2F%2F%2Fa%2Fb%3Av1', reader)).statusCode).toBe(401);
  });
});

describe('a key broker without an attestation service', () => {
  it.each([
    ['POST', '/kbs/v0/auth'],
    ['POST', '/kbs/v0/attest'],
    ['POST', '/kbs/v0/attestation-policy'],
    ['GET', '/kbs/v0/reference-value/svn'],
  ] as const)('has no %s %s', async (method, url) => {
    const passport = await startFakeKbs({ isPassportOnly: true });
    const response = await passport.app.inject({ method, url });
    expect([response.statusCode, response.json()]).toMatchObject([
      404,
      { type: `${ERROR_TYPE}PluginNotFound` },
    ]);
    await passport.close();
  });
});
