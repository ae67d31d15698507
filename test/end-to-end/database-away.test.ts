import { randomBytes } from 'node:crypto';
import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../fakes/test-database.ts';
import { createAdministrator, SAMPLE_REFERENCE_VALUES } from '../harness/administrator.ts';
import { type DatabaseProxy, startDatabaseProxy } from '../harness/database-proxy.ts';
import {
  appraisalIn,
  attest,
  attestSession,
  beginSession,
  createGuestKey,
  type GuestKey,
  getResource,
  openResource,
  requestNonce,
  sampleSource,
} from '../harness/guest.ts';
import { type HttpReply, send } from '../harness/http.ts';
import { policyGiving } from '../harness/rego.ts';
import { type RunningVerigo, startVerigo } from '../harness/serve-verigo.ts';

const RESOURCE = 'default/fault/secret';
const HEAL_MS = 5_000;

let database: TestDatabase;
let proxy: DatabaseProxy;
/** Reaches the database through the proxy; the other one reaches it always. */
let verigo: RunningVerigo;
let steady: RunningVerigo;
let key: GuestKey;
let token: string;
let cookie: string;

beforeAll(async () => {
  database = await createTestDatabase();
  proxy = await startDatabaseProxy(database.url);
  const masterKey = randomBytes(32).toString('hex');
  steady = await startVerigo({ databaseUrl: database.url, masterKey });
  verigo = await startVerigo({ databaseUrl: proxy.url, masterKey });
  const administrator = createAdministrator(verigo.url, await verigo.adminToken());
  await administrator.setReferenceValues(SAMPLE_REFERENCE_VALUES);
  await administrator.putResource(RESOURCE, 'secret');
  key = createGuestKey();
  token = (await attest(verigo.url, sampleSource, key)).token;
  cookie = (await attestSession(verigo.url, await beginSession(verigo.url, 'sample'), sampleSource, key))
    .cookie;
});
afterEach(async () => {
  proxy.restore();
  await expect.poll(ready, { timeout: HEAL_MS }).toBe(200);
});
afterAll(async () => {
  await Promise.all([verigo.close(), steady.close()]);
  await proxy.close();
  await database.drop();
});

const ready = async (): Promise<number> => (await send(verigo.url, '/readyz')).status;
const unavailable = { status: 503, code: 'STORAGE_UNAVAILABLE' };

async function everyRequest(): Promise<readonly (readonly [string, HttpReply])[]> {
  const admin = await verigo.adminToken();
  const url = verigo.url;
  return [
    ['passport', (await attest(url, sampleSource, key)).reply],
    ['session', (await attestSession(url, await beginSession(url, 'sample'), sampleSource, key)).reply],
    ['resource with a token', await getResource(url, RESOURCE, { token })],
    ['resource with a session', await getResource(url, RESOURCE, { cookie })],
    ['resource put', await send(url, `/kbs/v0/resource/${RESOURCE}`, { body: 'other', token: admin })],
    ['policies', await send(url, '/api/v1/policies', { token: admin })],
    ['decisions', await send(url, '/api/v1/decisions', { token: admin })],
    [
      'reference value',
      await send(url, '/api/v1/reference-values/svn', {
        method: 'PUT',
        json: { value: ['2'] },
        token: admin,
      }),
    ],
    ['ready', await send(url, '/readyz')],
  ];
}

test('while the database is away every request that needs it gets 503, and nothing is half done', async () => {
  proxy.cut();
  for (const [what, reply] of await everyRequest()) {
    expect(reply, what).toMatchObject(unavailable);
    expect(reply.headers.get('retry-after'), what).toBe('1');
    expect(reply.detail, what).not.toMatch(/127\.0\.0\.1|postgres:|password|ECONN.*:\d/);
  }
  expect(await send(verigo.url, '/livez')).toMatchObject({ status: 200 });
  // A nonce proves itself: it is given out all the same.
  expect(await requestNonce(verigo.url, 'sample')).not.toBe('');
});

test('the server heals when the database returns', async () => {
  proxy.cut();
  expect(await ready()).toBe(503);
  proxy.restore();
  await expect.poll(ready, { timeout: HEAL_MS }).toBe(200);
  const { reply } = await attest(verigo.url, sampleSource, key);
  expect(reply.status, reply.text).toBe(200);
  expect(await openResource(await getResource(verigo.url, RESOURCE, { cookie }), key)).toBe('secret');
});

test('a request in work when the database goes gets 503, and its nonce can be used when nothing was written', async () => {
  const nonce = await requestNonce(verigo.url, 'sample');
  proxy.silence();
  const pending = attest(verigo.url, sampleSource, key, { nonce });
  await new Promise((resolve) => setTimeout(resolve, 100)); // its statement is on the way
  proxy.cut();
  expect((await pending).reply).toMatchObject(unavailable);
  proxy.restore();
  await expect.poll(ready, { timeout: HEAL_MS }).toBe(200);
  expect((await attest(verigo.url, sampleSource, key, { nonce })).reply.status).toBe(200);
});

test('a reference value counts at once on the server that set it, though news from the database are late', async () => {
  const administrator = createAdministrator(steady.url, await steady.adminToken());
  const status = async () => appraisalIn((await attest(steady.url, sampleSource, key)).token)['ear.status'];
  expect(await status()).toBe('affirming'); // so that there is something to forget
  for (const [value, verdict] of [
    ['another', 'warning'],
    ['abcde', 'affirming'],
  ] as const) {
    await sql`select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and query ilike 'listen %'`.execute(database.db);
    await administrator.setReferenceValues([['launch_digest', [value]]]);
    expect(await status()).toBe(verdict);
  }
});

test('what was changed while the database was away counts afterwards', async () => {
  const status = async () => appraisalIn((await attest(verigo.url, sampleSource, key)).token)['ear.status'];
  expect(await status()).toBe('affirming');
  proxy.cut();
  const elsewhere = createAdministrator(steady.url, await steady.adminToken());
  expect(await elsewhere.setPolicy('attestation', 'default_cpu', policyGiving(33))).toMatchObject({
    status: 200,
  });
  proxy.restore();
  await expect.poll(ready, { timeout: HEAL_MS }).toBe(200);
  await expect.poll(status, { timeout: HEAL_MS }).toBe('warning');
});
