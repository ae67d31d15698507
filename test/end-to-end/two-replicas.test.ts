import { randomBytes } from 'node:crypto';
import { decodeProtectedHeader } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../fakes/test-database.ts';
import {
  type Administrator,
  createAdministrator,
  SAMPLE_REFERENCE_VALUES,
} from '../harness/administrator.ts';
import {
  appraisalIn,
  attest,
  attestSession,
  beginSession,
  createGuestKey,
  getResource,
  openResource,
  requestNonce,
  sampleSource,
} from '../harness/guest.ts';
import { send } from '../harness/http.ts';
import { policyGiving, resourcePolicy } from '../harness/rego.ts';
import { spawnVerigo, VerigoDidNotStart, type VerigoProcess } from '../harness/spawn-verigo.ts';

const MASTER_KEY = randomBytes(32).toString('hex');
/** What one replica writes, the others use within this time. */
const NEWS_MS = 1000;

let database: TestDatabase;
let one: VerigoProcess;
let other: VerigoProcess;
let administrator: Administrator;

async function startReplica(masterKey: string): Promise<VerigoProcess> {
  return await spawnVerigo({
    environment: { DATABASE_URL: database.url, VERIGO_MASTER_KEY: masterKey },
  });
}

beforeAll(async () => {
  database = await createTestDatabase();
  // Both at once: the first start makes keys and policies, and only one of them may win.
  [one, other] = await Promise.all([startReplica(MASTER_KEY), startReplica(MASTER_KEY)]);
  administrator = createAdministrator(one.url, await one.adminToken());
});
afterAll(async () => {
  expect(await Promise.all([one.stop(), other.stop()])).toEqual([0, 0]);
  await database.drop();
});

async function statusAt(replica: VerigoProcess): Promise<string | undefined> {
  const { token } = await attest(replica.url, sampleSource, createGuestKey());
  return appraisalIn(token)['ear.status'];
}

test('a reference value that is set on one counts on the other within a second', async () => {
  expect(await statusAt(other)).toBe('contraindicated'); // so that the other has something to forget
  await administrator.setReferenceValues(SAMPLE_REFERENCE_VALUES);
  await expect.poll(async () => await statusAt(other), { timeout: NEWS_MS }).toBe('affirming');
  expect(await statusAt(one)).toBe('affirming');
});

test('a policy that is set on one judges on the other within a second', async () => {
  expect(await statusAt(other)).toBe('affirming');
  const before = (await send(one.url, '/policy/default_cpu')).text;
  expect(await administrator.setPolicy('attestation', 'default_cpu', policyGiving(33))).toMatchObject({
    status: 200,
  });
  await expect.poll(async () => await statusAt(other), { timeout: NEWS_MS }).toBe('warning');
  expect(await administrator.setPolicy('attestation', 'default_cpu', before)).toMatchObject({ status: 200 });
  await expect.poll(async () => await statusAt(other), { timeout: NEWS_MS }).toBe('affirming');
});

test('a resource policy too', async () => {
  await administrator.putResource('default/replica/policy', 'secret');
  const { token } = await attest(other.url, sampleSource, createGuestKey());
  const get = async () => (await getResource(other.url, 'default/replica/policy', { token })).status;
  expect(await get()).toBe(200);
  await administrator.setPolicy('resource', 'resource-policy', resourcePolicy(false));
  await expect.poll(get, { timeout: NEWS_MS }).toBe(401);
  await administrator.setPolicy('resource', 'resource-policy', resourcePolicy(true));
  await expect.poll(get, { timeout: NEWS_MS }).toBe(200);
});

test('a resource that is replaced or deleted on one is so on the other', async () => {
  const path = 'default/replica/changing';
  const key = createGuestKey();
  const { token } = await attest(other.url, sampleSource, key);
  const secret = async () => {
    const reply = await getResource(other.url, path, { token });
    return reply.status === 200 ? await openResource(reply, key) : reply.status;
  };
  await administrator.putResource(path, 'before');
  expect(await secret()).toBe('before'); // so that the other has something to forget
  await administrator.putResource(path, 'after');
  await expect.poll(secret, { timeout: NEWS_MS }).toBe('after');
  await send(one.url, `/kbs/v0/resource/${path}`, { method: 'DELETE', token: await one.adminToken() });
  await expect.poll(secret, { timeout: NEWS_MS }).toBe(404);
  await administrator.putResource(path, 'again');
  await expect.poll(secret, { timeout: NEWS_MS }).toBe('again');
});

test('a nonce that was used on one is refused on the other', async () => {
  const nonce = await requestNonce(one.url, 'sample');
  expect((await attest(other.url, sampleSource, createGuestKey(), { nonce })).reply.status).toBe(200);
  const again = await attest(one.url, sampleSource, createGuestKey(), { nonce });
  expect(again.reply).toMatchObject({ status: 409, code: 'NONCE_ALREADY_USED' });
});

test('of many uses of one nonce on both at once, one wins', async () => {
  const nonce = await requestNonce(one.url, 'sample');
  const replies = await Promise.all(
    Array.from({ length: 10 }, async (_, index) => {
      const { reply } = await attest(index % 2 === 0 ? one.url : other.url, sampleSource, createGuestKey(), {
        nonce,
      });
      return reply.status;
    }),
  );
  expect(replies.toSorted()).toEqual([200, ...Array.from({ length: 9 }, () => 409)]);
});

test('a session goes on wherever the guest is led', async () => {
  await administrator.putResource('default/replica/session', 'secret of the session');
  const key = createGuestKey();
  const challenge = await beginSession(one.url, 'sample');
  const { reply, cookie } = await attestSession(other.url, challenge, sampleSource, key);
  expect(reply.status, reply.text).toBe(200);
  for (const replica of [one, other]) {
    const released = await getResource(replica.url, 'default/replica/session', { cookie });
    expect(released.status, released.text).toBe(200);
    expect(await openResource(released, key)).toBe('secret of the session');
  }
});

test('both sign with one key, and each takes the tokens of the other', async () => {
  await administrator.putResource('default/replica/token', 'secret of the token');
  const tokens = await Promise.all(
    [one, other].map(async ({ url }) => (await attest(url, sampleSource, createGuestKey())).token),
  );
  const [first, second] = tokens.map((token) => decodeProtectedHeader(token).kid);
  expect(first).toBe(second);
  expect((await getResource(one.url, 'default/replica/token', { token: tokens[1]! })).status).toBe(200);
  expect((await getResource(other.url, 'default/replica/token', { token: tokens[0]! })).status).toBe(200);
});

describe('a replica that starts later', () => {
  test('is refused with another master key, and says so without either key', async () => {
    const wrong = randomBytes(32).toString('hex');
    const error = await startReplica(wrong).catch((reason: unknown) => reason);
    if (!(error instanceof VerigoDidNotStart)) throw new Error('expected no start', { cause: error });
    const { exitCode, output } = error;
    expect(exitCode).toBe(2);
    expect(output).toContain('MASTER_KEY_WRONG');
    expect(output).not.toContain(wrong);
    expect(output).not.toContain(MASTER_KEY);
  });

  test('is refused without any master key, and makes none', async () => {
    const started = spawnVerigo({ environment: { DATABASE_URL: database.url } });
    await expect(started).rejects.toMatchObject({
      output: expect.stringContaining('MASTER_KEY_MISSING') as string,
    });
  });
});
