import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type FakeKbs, startFakeKbs, teeKey } from './fake-kbs.ts';
import { bearer, putResource, rawRequest, SECRET_PATH } from './resource-client.ts';

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

describe('the path of a resource', () => {
  it('shows the policy the path that it reads, and the query', async () => {
    const headers = bearer(kbs.earFor(key.publicJwk));
    for (const target of [
      SECRET_PATH,
      '/kbs/v0/resource//default/test/secret',
      '/kbs/v0/resource/default%2Ftest/s%65cret',
    ]) {
      const { status } = await rawRequest(kbs, `${target}?purpose=boot+now`, { headers });
      expect(status).toBe(200);
      expect(kbs.asked.at(-1)).toEqual({
        plugin: 'resource',
        path: ['default', 'test', 'secret'],
        query: { purpose: 'boot now' },
      });
    }
  });

  it.each([
    ['..', 400, 'RESOURCE_PATH_INVALID', '/kbs/v0/resource/default/../secret'],
    ['an encoded ..', 400, 'RESOURCE_PATH_INVALID', '/kbs/v0/resource/default/%2e%2e/secret'],
    [
      'a .. that is encoded twice',
      400,
      'RESOURCE_PATH_INVALID',
      '/kbs/v0/resource/default/%252e%252e/secret',
    ],
    [
      'a slash that is encoded twice',
      400,
      'RESOURCE_PATH_INVALID',
      '/kbs/v0/resource/default/test%252Fsecret',
    ],
    ['an empty segment', 400, 'RESOURCE_PATH_INVALID', '/kbs/v0/resource/default//test/secret'],
    ['a trailing slash', 400, 'RESOURCE_PATH_INVALID', `${SECRET_PATH}/`],
    ['a parameter of the path', 400, 'RESOURCE_PATH_INVALID', `${SECRET_PATH};x`],
    ['two segments', 400, 'RESOURCE_PATH_INVALID', '/kbs/v0/resource/default/secret'],
    ['no segment', 400, 'RESOURCE_PATH_INVALID', '/kbs/v0/resource'],
    ['a leading dot', 400, 'RESOURCE_PATH_INVALID', '/kbs/v0/resource/default/test/.secret'],
    ['a letter that looks alike', 400, 'RESOURCE_PATH_INVALID', '/kbs/v0/resource/default/test/s%D0%B5cret'],
    ['a percent sign alone', 400, 'REQUEST_MALFORMED', `${SECRET_PATH}%zz`],
    ['NUL', 400, 'REQUEST_PATH_MALFORMED', `${SECRET_PATH}%00`],
    ['a line break', 400, 'REQUEST_PATH_MALFORMED', `${SECRET_PATH}%0d%0a`],
    ['a repeated query parameter', 400, 'QUERY_MALFORMED', `${SECRET_PATH}?a=1&a=2`],
    ['an unknown plugin', 404, 'PLUGIN_NOT_FOUND', '/kbs/v0/pkcs11/a'],
    ['no plugin', 404, 'PLUGIN_NOT_FOUND', '/kbs/v0/'],
    ['GET on a POST route', 404, 'PLUGIN_NOT_FOUND', '/kbs/v0/auth'],
  ])('refuses a path with %s', async (_what, status, code, url) => {
    const asked = kbs.asked.length;
    const reply = await rawRequest(kbs, url, { headers: bearer(kbs.earFor(key.publicJwk)) });
    expect([reply.status, reply.code]).toEqual([status, code]);
    expect(Object.keys(JSON.parse(reply.body) as object)).toEqual(['type', 'detail']);
    expect(kbs.asked).toHaveLength(asked);
  });

  it.each(['HEAD', 'OPTIONS', 'PATCH', 'PUT'])('does not know %s', async (method) => {
    const reply = await rawRequest(kbs, SECRET_PATH, { method, headers: bearer(kbs.earFor(key.publicJwk)) });
    expect([reply.status, reply.code]).toEqual([405, 'METHOD_NOT_ALLOWED']);
  });

  it('does not let a header change the method', async () => {
    const headers = { 'x-http-method-override': 'DELETE', ...bearer(kbs.adminToken()) };
    expect((await rawRequest(kbs, SECRET_PATH, { headers })).status).toBe(401);
    expect(await kbs.rows('resource')).toBe(1);
  });
});

describe("the path of an administrator's request", () => {
  it.each([
    ['one that leads elsewhere', '/kbs/v0/resource/x/../../resource-policy'],
    ['one whose query would match', '/kbs/v0/resource/x?x=/kbs/v0/resource/a/b/c'],
    ['one with a hidden segment', '/kbs/v0/resource/x%2Fy%2Fz%2Fmore'],
    ['one with a segment too many', '/kbs/v0/resource/x/y/z/w'],
  ])('is not authorised by pattern: %s', async (_what, target) => {
    const reply = await rawRequest(kbs, target, { method: 'DELETE', headers: bearer(kbs.adminToken()) });
    expect([reply.status, reply.code]).toEqual([401, 'ADMIN_ROLE_NOT_ALLOWED']);
  });

  it('is decoded before it is authorised, and still has to be a resource', async () => {
    const headers = bearer(kbs.adminToken());
    const reply = await rawRequest(kbs, '/kbs/v0/resource/a/%2e%2e/c', { method: 'DELETE', headers });
    expect([reply.status, reply.code]).toEqual([400, 'RESOURCE_PATH_INVALID']);
  });
});
