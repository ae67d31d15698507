import { afterAll, beforeAll, expect, test } from 'vitest';
import { attest, createGuestKey, getResource, sampleSource } from '../harness/guest.ts';
import { send } from '../harness/http.ts';
import { type RunningVerigo, startVerigo } from '../harness/serve-verigo.ts';
import { createTokenIssuer } from '../harness/token-issuer.ts';

const RESOURCE = 'default/admin/secret';

let verigo: RunningVerigo;
let second: RunningVerigo;
/** A guest's token, and one of nobody who claims to be an administrator. */
let own: string;
let stranger: string;

beforeAll(async () => {
  [verigo, second] = await Promise.all([startVerigo(), startVerigo()]);
  own = (await attest(verigo.url, sampleSource, createGuestKey())).token;
  const claims = {
    iss: 'verigo-admin',
    aud: 'verigo',
    role: 'admin',
    exp: Math.floor(Date.now() / 1000) + 300,
  };
  stranger = await createTokenIssuer('stranger').sign(claims);
});
afterAll(async () => {
  await Promise.all([verigo.close(), second.close()]);
});

test("an administrator's opens no resource", async () => {
  expect(await getResource(verigo.url, RESOURCE, { token: await verigo.adminToken() })).toMatchObject({
    status: 401,
    code: 'TOKEN_ISSUER_UNTRUSTED',
  });
});

test.each([
  ['GET', '/api/v1/policies'],
  ['GET', '/api/v1/decisions'],
  ['GET', '/api/v1/reference-values'],
  ['GET', '/api/v1/collateral'],
  ['PUT', '/api/v1/reference-values/svn'],
  ['POST', '/policy'],
  ['POST', '/kbs/v0/resource-policy'],
  ['GET', '/kbs/v0/resource-policy'],
  ['POST', '/kbs/v0/attestation-policy'],
  ['GET', '/kbs/v0/reference-value/svn'],
  ['POST', `/kbs/v0/resource/${RESOURCE}`],
  ['DELETE', `/kbs/v0/resource/${RESOURCE}`],
] as const)("a guest's administrates nothing: %s %s", async (method, path) => {
  const body = method === 'GET' || method === 'DELETE' ? {} : { json: { policy_id: 'a', policy: 'AAAA' } };
  for (const token of [own, stranger]) {
    expect(await send(verigo.url, path, { method, token, ...body })).toMatchObject({
      status: 401,
      code: 'ADMIN_TOKEN_REFUSED',
    });
  }
  expect(await send(verigo.url, path, { method, ...body })).toMatchObject({
    status: 401,
    code: 'ADMIN_TOKEN_MISSING',
  });
});

test('an administrator of a role that no rule names is refused', async () => {
  const token = await verigo.adminToken('auditor');
  expect(await send(verigo.url, '/api/v1/policies', { token })).toMatchObject({
    status: 403,
    code: 'ADMIN_ROLE_NOT_ALLOWED',
  });
  const atBroker = await send(verigo.url, '/kbs/v0/resource-policy', { token });
  expect(atBroker).toMatchObject({ status: 401, code: 'ADMIN_ROLE_NOT_ALLOWED' });
  expect(atBroker.detail).toContain('Role auditor not allowed');
});

test('an administrator of another installation is refused', async () => {
  const token = await second.adminToken();
  expect(await send(verigo.url, '/api/v1/policies', { token })).toMatchObject({
    status: 401,
    code: 'ADMIN_TOKEN_REFUSED',
  });
});
