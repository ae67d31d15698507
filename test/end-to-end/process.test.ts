import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeProtectedHeader } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../fakes/test-database.ts';
import { createAdministrator, SAMPLE_REFERENCE_VALUES } from '../harness/administrator.ts';
import {
  attest,
  createGuestKey,
  getResource,
  openResource,
  requestNonce,
  sampleSource,
} from '../harness/guest.ts';
import { beginRequest, send } from '../harness/http.ts';
import { policyGiving } from '../harness/rego.ts';
import { type SpawnVerigoOptions, spawnVerigo, VerigoDidNotStart } from '../harness/spawn-verigo.ts';

const RESOURCE = 'default/process/secret';
/** From the signal to the end, where nothing is in work. */
const SHORT_MS = 5_000;

let database: TestDatabase;
let folder: string;

beforeAll(async () => {
  database = await createTestDatabase();
  folder = mkdtempSync(join(tmpdir(), 'verigo-process-'));
});
afterAll(async () => {
  await database.drop();
  rmSync(folder, { recursive: true, force: true });
});

describe('a server that is told to stop', () => {
  test.each(['SIGTERM', 'SIGINT'] as const)(
    'by %s finishes what is in work, takes nothing new, and exits 0',
    async (signal) => {
      await using verigo = await spawnVerigo({ databaseUrl: database.url, folder });
      const idle = await fetch(`${verigo.url}/healthz`); // a connection that is kept open and does not hold it up
      expect(idle.status).toBe(200);
      const slow = await beginRequest(verigo.url, '/challenge', { tee: 'sample', tee_params: '' });
      const stopped = verigo.stop(signal);
      await expect
        .poll(
          async () =>
            await send(verigo.url, '/healthz').then(
              ({ status }) => status,
              () => 'refused',
            ),
          { timeout: 2000 },
        )
        .not.toBe(200);
      const finished = await slow.finish();
      expect(finished).toMatchObject({ status: 200 });
      expect(finished.text).not.toBe('');
      expect(await stopped).toBe(0);
    },
  );

  test('ends soon when nothing is in work', async () => {
    await using verigo = await spawnVerigo({ databaseUrl: database.url, folder });
    const started = performance.now();
    expect(await verigo.stop()).toBe(0);
    expect(performance.now() - started).toBeLessThan(SHORT_MS);
  });
});

test('a server that was killed goes on where it was, its own database included', async () => {
  const home = mkdtempSync(join(tmpdir(), 'verigo-killed-'));
  await using first = await spawnVerigo({ folder: home });
  const administrator = createAdministrator(first.url, await first.adminToken());
  await administrator.setReferenceValues(SAMPLE_REFERENCE_VALUES);
  await administrator.putResource(RESOURCE, 'kept');
  expect(await administrator.setPolicy('attestation', 'kept_cpu', policyGiving(2))).toMatchObject({
    status: 200,
  });
  const key = createGuestKey();
  const { token, reply } = await attest(first.url, sampleSource, key, { policyIds: ['kept'] });
  const [spent, unspent] = [await requestNonce(first.url, 'sample'), await requestNonce(first.url, 'sample')];
  await attest(first.url, sampleSource, key, { nonce: spent });
  expect(await first.stop('SIGKILL')).toBeNull();

  await using second = await spawnVerigo({ folder: home });
  const again = createAdministrator(second.url, administrator.token); // the same administrators
  expect((await send(second.url, '/policy/kept_cpu')).text).toBe(policyGiving(2));
  expect(await openResource(await getResource(second.url, RESOURCE, { token }), key)).toBe('kept');
  const renewed = await attest(second.url, sampleSource, key, { nonce: unspent, policyIds: ['kept'] });
  expect(decodeProtectedHeader(renewed.token).kid).toBe(decodeProtectedHeader(token).kid);
  expect((await attest(second.url, sampleSource, key, { nonce: spent })).reply.code).toBe(
    'NONCE_ALREADY_USED',
  );
  expect(await again.decision(reply.decisionId)).toMatchObject({ outcome: 'granted' });
  expect(await second.stop()).toBe(0);
  rmSync(home, { recursive: true, force: true });
});

describe('a server that cannot start', () => {
  async function failure(options: SpawnVerigoOptions): Promise<VerigoDidNotStart> {
    const started = performance.now();
    const error = await spawnVerigo(options).catch((reason: unknown) => reason);
    if (!(error instanceof VerigoDidNotStart)) throw new Error('expected no start', { cause: error });
    expect(performance.now() - started).toBeLessThan(2 * SHORT_MS);
    expect(error.output).not.toMatch(/\n\s+at .*:\d+:\d+/); // a sentence, not a stack
    return error;
  }

  test('for its configuration says what is wrong with it', async () => {
    const config = {
      http: { prot: 8080 },
      attestation: { nonce: 'maybe' },
      kbs: { session_lifetime_seconds: -1 },
    };
    const { exitCode, output } = await failure({ databaseUrl: database.url, config });
    expect(exitCode).toBe(2);
    for (const text of [
      'CONFIG_INVALID',
      'http.prot',
      'did you mean',
      'attestation.nonce',
      'kbs.session_lifetime_seconds',
    ]) {
      expect(output).toContain(text);
    }
  });

  test('for a database that does not answer says so, without its password', async () => {
    const { exitCode, output } = await failure({
      databaseUrl: 'postgres://verigo:hunter2@127.0.0.1:1/verigo',
    });
    expect(exitCode).toBe(3);
    expect(output).toContain('STORAGE_UNAVAILABLE');
    expect(output).not.toContain('hunter2');
  });

  test('for want of OPA names it', async () => {
    const fresh = await createTestDatabase();
    const { exitCode, output } = await failure({
      databaseUrl: fresh.url,
      config: { policy: { opa: '/nonesuch/opa' } },
    });
    expect(exitCode).not.toBe(0);
    expect(output).toContain('POLICY_COMPILER_UNAVAILABLE');
    await fresh.drop();
  });

  test('for a port that is taken names it', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    const { port } = await new Promise<{ port: number }>((resolve) => {
      taken.on('listening', () => {
        resolve(taken.address() as { port: number });
      });
    });
    const { exitCode, output } = await failure({
      databaseUrl: database.url,
      folder,
      config: { http: { port } },
    });
    expect(exitCode).not.toBe(0);
    expect(output).toContain(String(port));
    taken.close();
  });

  test('for roots that cannot be read says which', async () => {
    const config = { verifiers: { dangerously_replace_vendor_roots: ['/nonesuch/roots.pem'] } };
    const { exitCode, output } = await failure({ databaseUrl: database.url, folder, config });
    expect(exitCode).not.toBe(0);
    expect(output).toContain('roots.pem');
  });
});

test('a replica without OPA serves, and only refuses new policies', async () => {
  await using verigo = await spawnVerigo({
    databaseUrl: database.url,
    folder,
    config: { policy: { opa: '/nonesuch/opa' } },
  });
  expect((await attest(verigo.url, sampleSource, createGuestKey())).reply.status).toBe(200);
  const administrator = createAdministrator(verigo.url, await verigo.adminToken());
  expect(await administrator.setPolicy('attestation', 'new_cpu', policyGiving(2))).toMatchObject({
    status: 503,
    code: 'POLICY_COMPILER_UNAVAILABLE',
  });
  expect(await verigo.stop()).toBe(0);
});
