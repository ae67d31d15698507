import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fakeIssuer } from '../token/fake-issuer.ts';
import { type FakeKbs, MAX_RESOURCE_BYTES, startFakeKbs, teeKey } from './fake-kbs.ts';
import {
  attestedSession,
  bearer,
  ERROR_TYPE,
  putResource,
  readResource,
  SECRET_PATH,
} from './resource-client.ts';

const key = teeKey();
let kbs: FakeKbs;

beforeAll(async () => {
  kbs = await startFakeKbs({
    acls: [{ role: 'admin', allowedEndpoints: '^/kbs/v0/resource/[^/]+/[^/]+/[^/]+$' }],
  });
  await putResource(kbs, SECRET_PATH, 'shhhhhhh');
});

afterAll(async () => {
  await kbs.close();
});

describe('POST and DELETE /kbs/v0/resource', () => {
  it.each([
    ['nothing', Buffer.alloc(0)],
    ['ten zeros', Buffer.alloc(10)],
    ['as much as there may be', Buffer.alloc(MAX_RESOURCE_BYTES, 1)],
  ])('keeps %s of any type', async (_what, content) => {
    const response = await putResource(kbs, '/kbs/v0/resource/a/b/c', content);
    expect([response.statusCode, response.body]).toEqual([200, '']);
    expect((await readResource(kbs, key, '/kbs/v0/resource/a/b/c')).equals(content)).toBe(true);
    expect((await kbs.decisions())[1]).toMatchObject({
      kind: 'admin',
      outcome: 'granted',
      subject: 'resource put a/b/c',
      detail: { administrator: 'alice', role: 'admin' },
    });
  });

  it('replaces and deletes', async () => {
    await putResource(kbs, '/kbs/v0/resource/a/b/d', 'one');
    await putResource(kbs, '/kbs/v0/resource/a/b/d', 'two');
    expect((await readResource(kbs, key, '/kbs/v0/resource/a/b/d')).toString()).toBe('two');
    const remove = async () =>
      await kbs.app.inject({
        method: 'DELETE',
        url: '/kbs/v0/resource/a/b/d',
        headers: bearer(kbs.adminToken()),
      });
    expect((await remove()).statusCode).toBe(200);
    expect([(await remove()).statusCode]).toEqual([404]);
  });

  it('keeps no secret in the clear', async () => {
    await putResource(kbs, '/kbs/v0/resource/a/b/clear', 'a secret that must not be found');
    const decisions = JSON.stringify(await kbs.decisions());
    expect(decisions).not.toContain('a secret that must not be found');
  });

  it('refuses a resource beyond its limit', async () => {
    const response = await putResource(kbs, '/kbs/v0/resource/a/b/e', Buffer.alloc(MAX_RESOURCE_BYTES + 1));
    expect(response.statusCode).toBe(413);
    expect(response.json()).toMatchObject({ type: `${ERROR_TYPE}PluginInternalError` });
  });

  it.each<[string, string, string, () => string | undefined]>([
    ['nobody', 'ADMIN_TOKEN_MISSING', 'Authorization', () => undefined],
    [
      'a guest',
      'ADMIN_TOKEN_REFUSED',
      'Cannot verify token with any of the issuers',
      () => kbs.earFor(key.publicJwk),
    ],
    [
      'a foreign administrator',
      'ADMIN_TOKEN_REFUSED',
      'Cannot verify token with any of the issuers',
      () => fakeIssuer('EdDSA', 'admin key').token({ iss: 'admins', aud: 'kbs', role: 'admin', exp: 2e9 }),
    ],
    [
      'another role',
      'ADMIN_ROLE_NOT_ALLOWED',
      'Role tester not allowed',
      () => kbs.adminToken({ role: 'tester' }),
    ],
  ])('refuses %s', async (_what, code, detail, token) => {
    const given = token();
    const before = await kbs.rows('resource');
    const response = await kbs.app.inject({
      method: 'POST',
      url: '/kbs/v0/resource/x/y/z',
      headers: given === undefined ? {} : bearer(given),
      payload: Buffer.from('x'),
    });
    expect([response.statusCode, response.headers['verigo-code']]).toEqual([401, code]);
    expect(response.json()).toEqual({
      type: `${ERROR_TYPE}AdminAuthAccess`,
      detail: expect.stringContaining(detail) as string,
    });
    expect(await kbs.rows('resource')).toBe(before);
  });

  it('does not release to an attested session what only administrators do', async () => {
    const response = await kbs.app.inject({
      method: 'DELETE',
      url: SECRET_PATH,
      headers: { cookie: await attestedSession(kbs, key) },
    });
    expect([response.statusCode, response.headers['verigo-code']]).toEqual([401, 'ADMIN_TOKEN_MISSING']);
  });
});
