import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../fakes/test-database.ts';
import { contentOf } from '../harness/database-content.ts';
import { type HttpReply, send, sendRaw } from '../harness/http.ts';
import { policyGiving } from '../harness/rego.ts';
import { type RunningVerigo, startVerigo } from '../harness/serve-verigo.ts';

let database: TestDatabase;
let verigo: RunningVerigo;
let token: string;

beforeAll(async () => {
  database = await createTestDatabase();
  verigo = await startVerigo({ databaseUrl: database.url });
  token = await verigo.adminToken();
});
afterAll(async () => {
  await verigo.close();
  await database.drop();
});

const get = async (path: string): Promise<HttpReply> => await send(verigo.url, path, { token });
const put = async (path: string, json: unknown): Promise<HttpReply> =>
  await send(verigo.url, path, { method: 'PUT', json, token });

describe('a query', () => {
  test.each([
    ['/api/v1/decisions?limit=0'],
    ['/api/v1/decisions?limit=501'],
    ['/api/v1/decisions?limit=-1'],
    ['/api/v1/decisions?limit=1e9'],
    ['/api/v1/decisions?limit=ten'],
    ['/api/v1/decisions?limit=1&limit=2'],
    ['/api/v1/decisions?kind=other'],
    ['/api/v1/decisions?outcome=other'],
    ['/api/v1/decisions?before=yesterday'],
    ["/api/v1/decisions?before=' or 1=1 --"],
    ['/api/v1/decisions?nonesuch=1'],
    ['/api/v1/decisions/nonesuch'],
    ['/api/v1/reference-values?limit=1001'],
    ['/api/v1/reference-values?limit=x'],
    ['/api/v1/reference-values?after=%00'],
    ['/api/v1/reference-values?after=a&after=b'],
    ['/api/v1/reference-values?nonesuch=1'],
    ['/api/v1/policies/nonesuch/default_cpu'],
    ['/api/v1/policies/attestation/%00'],
    ['/api/v1/policies/attestation/..%2f..%2fetc%2fpasswd'],
    ['/api/v1/policies/attestation/%00/versions'],
    ['/api/v1/reference-values/%00'],
    [`/api/v1/reference-values/${'x'.repeat(257)}`],
    ['/policy/%00'],
    [`/policy/${'x'.repeat(200)}`],
  ])('%s is refused', async (path) => {
    const reply = await get(path);
    expect({ status: reply.status, code: reply.code }, reply.text).toEqual({
      status: 422,
      code: expect.stringMatching(/^(SCHEMA_REFUSED|POLICY_NAME_INVALID)$/) as string,
    });
    expect(reply.headers.get('content-type')).toMatch(/^application\/problem\+json/);
  });

  test.each([
    ['/api/v1/decisions/00000000-0000-4000-8000-000000000000'],
    ['/api/v1/policies/attestation/nonesuch'],
    ['/api/v1/policies/attestation/nonesuch/versions'],
    ['/api/v1/reference-values/nonesuch'],
    ['/policy/nonesuch'],
    ['/api/v1/nonesuch'],
    ['/api/v2/decisions'],
    ['/nonesuch'],
    ['/'],
  ])('%s is not there', async (path) => {
    expect(await get(path)).toMatchObject({
      status: 404,
      code: expect.stringMatching(/NOT_FOUND$/) as string,
    });
  });

  test.each(['/%zz', '/api/v1/policies/attestation/%ff', '/policy/%c0%af', '/api/v1/reference-values/%'])(
    '%s is no path',
    async (target) => {
      const reply = await sendRaw(verigo.url, target, { headers: { authorization: `Bearer ${token}` } });
      expect(reply).toMatchObject({ status: 400 });
      expect(reply.code).toMatch(/^(URL_MALFORMED|ENCODING_MALFORMED)$/);
    },
  );
});

describe('a reference value of the key broker', () => {
  test('is read by a name with slashes, encoded or not', async () => {
    const name = 'rvps:///vendor/module:v1';
    expect(await put(`/api/v1/reference-values/${encodeURIComponent(name)}`, { value: ['1'] })).toMatchObject(
      { status: 204 },
    );
    for (const path of ['rvps:///vendor/module:v1', encodeURIComponent(name)]) {
      const reply = await sendRaw(verigo.url, `/kbs/v0/reference-value/${path}`, {
        headers: { authorization: `Bearer ${token}` },
      });
      expect({ path, status: reply.status, text: reply.text }).toEqual({ path, status: 200, text: '["1"]' });
    }
  });

  test.each([
    ['/kbs/v0/reference-value/%00', 400],
    ['/kbs/v0/reference-value/nonesuch', 404],
    ['/kbs/v0/reference-value/', 404],
    [`/kbs/v0/reference-value/${'x'.repeat(5000)}`, 404],
  ])('%s is refused', async (path, status) => {
    expect(await get(path)).toMatchObject({ status });
  });
});

describe('a text that the database cannot hold', () => {
  test.each([
    ['NUL', '"\\u0000"'],
    ['a lone surrogate', '"\\ud800"'],
    ['NUL in a name', '{"a\\u0000":1}'],
    ['a lone surrogate in a name', '[{"\\udc00":1}]'],
  ])('%s in a reference value is refused', async (_what, value) => {
    const before = await contentOf(database.db);
    const reply = await send(verigo.url, '/api/v1/reference-values/text', {
      method: 'PUT',
      body: `{"value":${value}}`,
      token,
    });
    expect({ status: reply.status, code: reply.code }, reply.text).toEqual({
      status: 422,
      code: 'SCHEMA_REFUSED',
    });
    expect(await contentOf(database.db)).toEqual(before);
  });

  test.each([
    ['NUL in a comment', `${policyGiving(2)}# \u0000\n`],
    ['NUL in a text', `${policyGiving(2)}\nx := "\u0000"\n`],
  ])('%s of a policy is refused', async (_what, policy) => {
    const before = await contentOf(database.db);
    const reply = await put('/api/v1/policies/attestation/text_cpu', { policy });
    expect({ status: reply.status, code: reply.code }, reply.text).toEqual({
      status: 422,
      code: 'POLICY_DOES_NOT_COMPILE',
    });
    expect(await contentOf(database.db)).toEqual(before);
  });

  test.each(['\\u0000', '\\ud800'])(
    '%s in runtime data, in init data and as a policy id never fails the server',
    async (text) => {
      const evidence = Buffer.from('{"svn":"1","report_data":""}').toString('base64url');
      for (const body of [
        `{"verification_requests":[{"tee":"sample","evidence":"${evidence}","runtime_data":{"structured":"${text}"}}]}`,
        `{"verification_requests":[{"tee":"${text}","evidence":"${evidence}"}]}`,
        `{"verification_requests":[{"tee":"sample","evidence":"${evidence}","init_data":{"init_data_toml":"${text}"}}]}`,
        `{"verification_requests":[{"tee":"sample","evidence":"${evidence}"}],"policy_ids":["${text}"]}`,
      ]) {
        const reply = await send(verigo.url, '/attestation', { body });
        expect(reply.status, reply.text).toBeLessThan(500);
        expect(reply.status).toBeGreaterThanOrEqual(400);
      }
    },
  );
});

describe('a resource', () => {
  const path = '/kbs/v0/resource/default/size/test';

  test('of any bytes is kept, up to the limit', async () => {
    const sizes = [0, 1, 1 << 20];
    for (const size of sizes) {
      expect(await send(verigo.url, path, { body: new Uint8Array(size), token }), String(size)).toMatchObject(
        { status: 200 },
      );
    }
    const before = await contentOf(database.db);
    expect(await send(verigo.url, path, { body: new Uint8Array((1 << 20) + 1), token })).toMatchObject({
      status: 413,
    });
    expect(await contentOf(database.db)).toEqual(before);
  });

  test('that is not there cannot be deleted', async () => {
    expect(
      await send(verigo.url, '/kbs/v0/resource/default/size/nonesuch', { method: 'DELETE', token }),
    ).toMatchObject({ status: 404, code: 'RESOURCE_NOT_FOUND' });
  });
});
