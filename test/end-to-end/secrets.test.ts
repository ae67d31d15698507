import { randomBytes } from 'node:crypto';
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../fakes/test-database.ts';
import { createAdministrator, SAMPLE_REFERENCE_VALUES } from '../harness/administrator.ts';
import { type DatabaseProxy, startDatabaseProxy } from '../harness/database-proxy.ts';
import {
  attest,
  attestationMessage,
  attestSession,
  beginSession,
  createGuestKey,
  getResource,
  requestNonce,
  sampleSource,
  verificationRequest,
} from '../harness/guest.ts';
import { type HttpReply, send } from '../harness/http.ts';
import { policyGiving } from '../harness/rego.ts';
import { spawnVerigo, type VerigoProcess } from '../harness/spawn-verigo.ts';

const RESOURCE = 'default/leak/secret';
const SECRET = `secret-${randomBytes(24).toString('hex')}`;
const MASTER_KEY = randomBytes(32).toString('hex');
const PASSWORD = 'hunter2-of-the-database';

let database: TestDatabase;
let proxy: DatabaseProxy;
let verigo: VerigoProcess;
/** What must be seen nowhere, by what it is. */
const hidden = new Map<string, string>();
const refusals: HttpReply[] = [];

beforeAll(async () => {
  database = await createTestDatabase();
  proxy = await startDatabaseProxy(database.url);
  const url = new URL(proxy.url);
  url.password = PASSWORD; // the test database asks for none, and would take any
  verigo = await spawnVerigo({
    environment: { DATABASE_URL: url.href, VERIGO_MASTER_KEY: MASTER_KEY },
    config: { log: { level: 'trace' } },
  });
  hidden.set('the resource', SECRET);
  hidden.set('the master key', MASTER_KEY);
  hidden.set("the database's password", PASSWORD);
  try {
    await useEverything();
  } finally {
    await verigo.stop();
  }
});
afterAll(async () => {
  await proxy.close();
  await database.drop();
});

/** The main job, each refusal that handles something secret, and failures that are logged with their cause. */
async function useEverything(): Promise<void> {
  const { url } = verigo;
  const adminToken = await verigo.adminToken();
  hidden.set("the administrator's token", adminToken);
  const administrator = createAdministrator(url, adminToken);
  await administrator.setReferenceValues(SAMPLE_REFERENCE_VALUES);
  await administrator.putResource(RESOURCE, SECRET);
  const key = createGuestKey();
  hidden.set("the guest's private key", key.privateKey.export({ format: 'jwk' }).d!);

  const nonce = await requestNonce(url, 'sample');
  const { token } = await attest(url, sampleSource, key, { nonce });
  const challenge = await beginSession(url, 'sample');
  const session = await attestSession(url, challenge, sampleSource, key);
  hidden.set('a nonce', nonce);
  hidden.set("a guest's token", token);
  hidden.set("a session's token", session.token);
  hidden.set("a handshake's nonce", challenge.nonce);
  hidden.set("a handshake's cookie", challenge.cookie.split('=h.')[1]!);
  hidden.set("a session's id", session.cookie.split('=s.')[1]!);
  expect((await getResource(url, RESOURCE, { token })).status).toBe(200);
  expect((await getResource(url, RESOURCE, { cookie: session.cookie })).status).toBe(200);

  const forged = `${token.slice(0, -8)}AAAAAAAA`;
  hidden.set('a forged token', forged);
  const unbound = { tee: 'sample', evidence: async () => ({ svn: '1', report_data: 'AAAA' }) };
  const again = verificationRequest('sample', await sampleSource.evidence({ nonce }), { nonce });
  const message = await attestationMessage('another', sampleSource, key);
  refusals.push(
    (await attest(url, sampleSource, key, { nonce })).reply,
    (await attest(url, unbound, key)).reply,
    await send(url, '/attestation', { json: { verification_requests: [again, again], policy_ids: [nonce] } }),
    await getResource(url, RESOURCE, { token: forged }),
    await getResource(url, RESOURCE, { token: `${token}.${token}` }),
    await getResource(url, RESOURCE, { token: adminToken }),
    await getResource(url, RESOURCE, { cookie: `${session.cookie}x` }),
    await getResource(url, RESOURCE, { cookie: `${session.cookie}; ${session.cookie}` }),
    await send(url, '/kbs/v0/attest', { json: message, headers: { cookie: challenge.cookie } }),
    await send(url, '/kbs/v0/attest', { json: message, headers: { cookie: session.cookie } }),
    await send(url, '/api/v1/policies', { token }),
    await send(url, '/api/v1/policies', { token: forged }),
    await send(url, `/kbs/v0/resource/${RESOURCE}/${SECRET}`, { body: SECRET, token: adminToken }),
    await send(url, `/kbs/v0/resource/${RESOURCE}`, {
      body: SECRET,
      headers: { 'content-encoding': 'gzip' },
      token: adminToken,
    }),
    await send(url, '/attestation', { body: `{"nonce":"${nonce}","token":"${token}"` }),
    await send(url, '/attestation', {
      json: { verification_requests: [{ tee: token.slice(0, 60), evidence: nonce }] },
    }),
  );
  await administrator.setPolicy('attestation', 'broken_cpu', policyGiving(200));
  refusals.push((await attest(url, sampleSource, key, { policyIds: ['broken'] })).reply);
  await refuseWithoutDatabase(adminToken, token, session.cookie);
}

async function refuseWithoutDatabase(adminToken: string, token: string, cookie: string): Promise<void> {
  const { url } = verigo;
  const key = createGuestKey();
  const nonce = await requestNonce(url, 'sample');
  const challenge = await beginSession(url, 'sample');
  hidden.set('a nonce without a database', nonce);
  proxy.cut();
  const failures = [
    (await attest(url, sampleSource, key, { nonce })).reply,
    (await attestSession(url, challenge, sampleSource, key)).reply,
    await getResource(url, RESOURCE, { token }),
    await getResource(url, RESOURCE, { cookie }),
    await send(url, `/kbs/v0/resource/${RESOURCE}`, { body: SECRET, token: adminToken }),
  ];
  for (const { status } of failures) expect(status).toBe(503);
  refusals.push(...failures);
  proxy.restore();
}

/** Tokens are also looked for by their payload and their signature alone, secrets in other spellings. */
function spellings(): readonly (readonly [string, string])[] {
  return [...hidden].flatMap(([what, text]) => [
    [what, text] as const,
    ...text
      .split('.')
      .slice(1)
      .filter((part) => part.length > 20)
      .map((part) => [`a part of ${what}`, part] as const),
    [`${what} in base64`, Buffer.from(text).toString('base64').replace(/=+$/, '')] as const,
    [`${what} in hex`, Buffer.from(text).toString('hex')] as const,
  ]);
}

function assertHidden(where: string, text: string): void {
  for (const [what, spelling] of spellings()) {
    expect(text.includes(spelling), `${what} is seen in ${where}`).toBe(false);
  }
}

test('nothing secret is logged, at any level', () => {
  const output = verigo.output();
  expect(output).toContain('could not check'); // it was logged that the database was away,
  expect(output).toContain('POLICY_RESULT_INVALID'); // and that a policy was broken
  assertHidden('the log', output);
});

test('nothing secret is in what refusals say', () => {
  for (const { status, text, headers } of refusals) {
    expect(status).toBeGreaterThanOrEqual(400);
    assertHidden(`a refusal: ${text}`, text + JSON.stringify([...headers]));
  }
});

test('nothing secret is in the record of decisions', async () => {
  const rows = await database.db.selectFrom('decision').selectAll().execute();
  expect(rows.length).toBeGreaterThan(15);
  assertHidden('the record', JSON.stringify(rows));
});

test('nothing secret lies in the database in the clear', async () => {
  const tables = await sql<{ name: string }>`
    select table_name as name from information_schema.tables where table_schema = 'public'`.execute(
    database.db,
  );
  expect(tables.rows.length).toBeGreaterThan(10);
  for (const { name } of tables.rows) {
    const { rows } = await sql<{ text: string }>`select t::text as text from ${sql.table(name)} as t`.execute(
      database.db,
    );
    assertHidden(`table ${name}`, rows.map(({ text }) => text).join('\n'));
  }
});
