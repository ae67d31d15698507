import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../fakes/test-database.ts';
import {
  type Administrator,
  createAdministrator,
  SAMPLE_REFERENCE_VALUES,
} from '../harness/administrator.ts';
import { contentOf } from '../harness/database-content.ts';
import { attest, createGuestKey, sampleSource } from '../harness/guest.ts';
import { send, sendRaw } from '../harness/http.ts';
import { type RunningVerigo, startVerigo } from '../harness/serve-verigo.ts';

let database: TestDatabase;
let verigo: RunningVerigo;
let administrator: Administrator;
let token: string;

beforeAll(async () => {
  database = await createTestDatabase();
  verigo = await startVerigo({ databaseUrl: database.url });
  administrator = createAdministrator(verigo.url, await verigo.adminToken());
  await administrator.setReferenceValues(SAMPLE_REFERENCE_VALUES);
  await administrator.putResource('default/keys/disk', 'secret');
  token = (await attest(verigo.url, sampleSource, createGuestKey())).token;
});
afterAll(async () => {
  await verigo.close();
  await database.drop();
});

const bearer = (value: string) => ({ authorization: `Bearer ${value}` });
const get = async (target: string | Uint8Array) =>
  await sendRaw(verigo.url, target, { headers: bearer(token) });

/** Targets as they go over the wire. */
const other: readonly (readonly [string, string])[] = [
  ['a step up', '/kbs/v0/resource/default/keys/../keys/disk'],
  ['an encoded step up', '/kbs/v0/resource/default/keys/%2e%2e/disk'],
  ['a half encoded step up', '/kbs/v0/resource/default/.%2e/disk'],
  ['a step up past the root', '/kbs/v0/resource/../../../../etc/passwd'],
  ['a dot', '/kbs/v0/resource/default/./disk'],
  ['an encoded dot', '/kbs/v0/resource/default/%2E/disk'],
  ['a leading dot', '/kbs/v0/resource/default/keys/.disk'],
  ['an empty segment', '/kbs/v0/resource/default//disk'],
  ['a trailing slash', '/kbs/v0/resource/default/keys/disk/'],
  ['two segments', '/kbs/v0/resource/default/keys'],
  ['four segments', '/kbs/v0/resource/default/keys/disk/more'],
  ['no segments', '/kbs/v0/resource/'],
  ['an encoded slash too many', '/kbs/v0/resource/default/keys%2fdisk/x'],
  ['a doubly encoded slash', '/kbs/v0/resource/default%252fkeys/x/disk'],
  ['a backslash', '/kbs/v0/resource/default/keys%5cdisk/x'],
  ['a semicolon', '/kbs/v0/resource/default/keys/disk;x'],
  ['a space', '/kbs/v0/resource/default/keys/disk%20'],
  ['a plus', '/kbs/v0/resource/default/keys/disk+'],
  ['an accent', '/kbs/v0/resource/default/keys/d%C3%AFsk'],
  ['a look-alike (fullwidth)', '/kbs/v0/resource/default/keys/%EF%BD%84isk'],
  ['a look-alike (division slash)', '/kbs/v0/resource/default%E2%88%95keys/x/disk'],
  ['a name that is too long', `/kbs/v0/resource/default/keys/${'d'.repeat(257)}`],
  ['a very long name', `/kbs/v0/resource/default/keys/${'d'.repeat(100_000)}`],
];
const unreadable: readonly (readonly [string, string])[] = [
  ['NUL', '/kbs/v0/resource/default/keys/disk%00'],
  ['NUL before an extension', '/kbs/v0/resource/default/keys/disk%00.txt'],
  ['a line feed', '/kbs/v0/resource/default/keys/disk%0a'],
  ['a control character of Latin-1', '/kbs/v0/resource/default/keys/disk%C2%85'],
  ['a percent sign alone', '/kbs/v0/resource/default/keys/disk%'],
  ['half an encoding', '/kbs/v0/resource/default/keys/disk%2'],
  ['no hex digits', '/kbs/v0/resource/default/keys/%zz'],
  ['overlong UTF-8', '/kbs/v0/resource/default/keys%c0%afdisk/x'],
  ['a surrogate in UTF-8', '/kbs/v0/resource/default/keys/%ed%a0%80'],
  ['a UTF-8 byte alone', '/kbs/v0/resource/default/keys/%ff'],
];

describe('what names no resource', () => {
  test.each(other)('%s is refused for guests', async (_what, target) => {
    const reply = await get(target);
    expect(reply).toMatchObject({ status: 400, code: 'RESOURCE_PATH_INVALID' });
    expect(JSON.parse(reply.text)).toEqual({
      type: 'https://github.com/confidential-containers/kbs/errors/InvalidRequestPath',
      detail: expect.stringContaining('expected <repository>/<type>/<tag>') as string,
    });
  });

  test.each(unreadable)('%s is no path', async (_what, target) => {
    const reply = await get(target);
    expect(reply).toMatchObject({ status: 400 });
    expect(['REQUEST_PATH_MALFORMED', 'REQUEST_MALFORMED']).toContain(reply.code);
    expect(JSON.parse(reply.text)).toEqual({
      type: expect.stringMatching(/InvalidRequestPath$/) as string,
      detail: expect.any(String) as string,
    });
  });

  test.each(['POST', 'DELETE'])('%s with any of them changes nothing', async (method) => {
    const before = await contentOf(database.db);
    for (const [what, target] of [...other, ...unreadable]) {
      const { status } = await sendRaw(verigo.url, target, {
        method,
        headers: bearer(administrator.token),
        body: 'other',
      });
      expect(status, what).toBe(400);
    }
    expect(await contentOf(database.db)).toEqual(before);
  });

  test('bytes that are no URL are refused', async () => {
    const latin1 = Buffer.from([...Buffer.from('/kbs/v0/resource/default/keys/disk'), 0xe4]);
    expect((await get(latin1)).status).toBe(400);
    expect((await get('/kbs/v0/resource/default/keys/d\tsk')).status).toBe(400);
  });
});

describe('what is the same resource in other spelling', () => {
  test.each([
    ['as it is', '/kbs/v0/resource/default/keys/disk'],
    ['two slashes after the plugin, as some guests write', '/kbs/v0/resource//default/keys/disk'],
    ['encoded slashes, decoded once', '/kbs/v0/resource/default%2Fkeys%2fdisk'],
    ['encoded letters', '/kbs/v0/resource/default/keys/%64isk'],
    ['an empty query', '/kbs/v0/resource/default/keys/disk?'],
  ])('%s', async (_what, target) => {
    expect((await get(target)).status).toBe(200);
  });
});

describe('what is another path altogether', () => {
  test.each([
    [
      'a step up and back into the plugin',
      'GET',
      '/kbs/v0/x/../resource/default/keys/disk',
      404,
      'PLUGIN_NOT_FOUND',
    ],
    [
      'an encoded plugin name with a slash',
      'GET',
      '/kbs/v0/resource%2f..%2fresource/default/keys/disk',
      400,
      'RESOURCE_PATH_INVALID',
    ],
    ['another case', 'GET', '/kbs/v0/Resource/default/keys/disk', 404, 'PLUGIN_NOT_FOUND'],
    ['another plugin', 'GET', '/kbs/v0/pkcs11/default/keys/disk', 404, 'PLUGIN_NOT_FOUND'],
    ['a built-in route with another method', 'GET', '/kbs/v0/auth', 404, 'PLUGIN_NOT_FOUND'],
    ['another version', 'GET', '/kbs/v1/resource/default/keys/disk', 404, 'NOT_FOUND'],
    ['two slashes in front', 'GET', '//kbs/v0/resource/default/keys/disk', 404, 'NOT_FOUND'],
    ['PUT', 'PUT', '/kbs/v0/resource/default/keys/disk', 405, 'METHOD_NOT_ALLOWED'],
    ['PATCH', 'PATCH', '/kbs/v0/resource/default/keys/disk', 405, 'METHOD_NOT_ALLOWED'],
    ['OPTIONS', 'OPTIONS', '/kbs/v0/resource/default/keys/disk', 405, 'METHOD_NOT_ALLOWED'],
    ['HEAD', 'HEAD', '/kbs/v0/resource/default/keys/disk', 405, 'METHOD_NOT_ALLOWED'],
  ] as const)('%s', async (_what, method, target, status, code) => {
    const reply = await sendRaw(verigo.url, target, { method, headers: bearer(token) });
    expect({ status: reply.status, code: reply.code }).toEqual({ status, code });
  });

  test('a header that names another method changes nothing', async () => {
    const headers = { ...bearer(administrator.token), 'x-http-method-override': 'DELETE' };
    await send(verigo.url, '/kbs/v0/resource/default/keys/disk', { headers });
    expect((await get('/kbs/v0/resource/default/keys/disk')).status).toBe(200);
  });

  test("an administrator's rule sees the decoded path alone", async () => {
    const narrow = await startVerigo({
      config: { admin: { acls: [{ role: 'reader', allowed_endpoints: '^/kbs/v0/resource-policy$' }] } },
    });
    const reader = await narrow.adminToken('reader');
    const status = async (target: string, method = 'GET'): Promise<number> =>
      (
        await sendRaw(narrow.url, target, {
          method,
          headers: bearer(reader),
          body: method === 'GET' ? '' : 'x',
        })
      ).status;
    expect(await status('/kbs/v0/resource-policy')).toBe(200);
    expect(await status('/kbs/v0/resource-policy?x=/kbs/v0/resource-policy')).toBe(200);
    for (const target of [
      '/kbs/v0/resource/default/keys/disk?/kbs/v0/resource-policy',
      '/kbs/v0/resource/default/keys/disk#/kbs/v0/resource-policy',
      '/kbs/v0/resource/x/../../resource-policy',
      '/kbs/v0/resource/x%2f..%2f..%2fresource-policy',
    ]) {
      expect(await status(target, 'POST'), target).toBe(401);
    }
    for (const target of ['/api/v1/policies', '/api/v1/policies?/kbs/v0/resource-policy']) {
      expect(await status(target), target).toBe(403);
    }
    await narrow.close();
  });
});
