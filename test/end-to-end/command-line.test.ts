import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createFakeAmd, type FakeAmd } from '../fakes/fake-amd.ts';
import { createTestDatabase, type TestDatabase } from '../fakes/test-database.ts';
import { policyGiving } from '../harness/rego.ts';
import { type CommandRun, runCommand } from '../harness/run-command.ts';
import { spawnVerigo, type VerigoProcess } from '../harness/spawn-verigo.ts';

const RESOURCE = 'default/keys/disk';

let folder: string;
let database: TestDatabase;
let amd: FakeAmd;
let server: VerigoProcess;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'verigo-user-'));
  database = await createTestDatabase();
  amd = await createFakeAmd({}, ['Milan']);
  server = await spawnVerigo({ folder, databaseUrl: database.url, rootsPem: amd.pem('Milan') });
});
afterAll(async () => {
  expect(await server.stop()).toBe(0);
  await database.drop();
  rmSync(folder, { recursive: true, force: true });
});

/** In the folder of the server, whose verigo.toml and admin key it finds by itself. */
async function verigo(...args: readonly string[]): Promise<CommandRun> {
  return await runCommand(folder, args, { environment: { VERIGO_SERVER: server.url } });
}
async function done(...args: readonly string[]): Promise<CommandRun> {
  const run = await verigo(...args);
  expect(run.code, run.stderr).toBe(0);
  return run;
}
const file = (name: string): string => join(folder, name);

test('what a user does on the first day', async () => {
  for (const [name, value] of [
    ['launch_digest', '["abcde"]'],
    ['svn', '["1"]'],
    ['major_version', '1'],
    ['minimum_minor_version', '1'],
  ] as const) {
    await done('reference-value', 'set', name, value);
  }
  const values = (await done('reference-value', 'list', '--json')).json() as {
    items: { name: string; value: unknown }[];
  };
  expect(values.items.map(({ name }) => name).toSorted()).toEqual([
    'launch_digest',
    'major_version',
    'minimum_minor_version',
    'svn',
  ]);
  expect((await done('reference-value', 'get', 'svn')).json()).toEqual(['1']);

  const attested = await done('attest', '--sample', '--key-out', 'tee.key', '--out', 'token.jwt');
  expect(attested.stdout).toContain('affirming');
  expect(statSync(file('tee.key')).mode & 0o077).toBe(0);
  expect(statSync(file('token.jwt')).mode & 0o077).toBe(0);
  expect((await done('token', 'verify', 'token.jwt', '--json')).json()).toMatchObject({
    submods: { cpu0: { 'ear.status': 'affirming' } },
  });

  writeFileSync(file('disk.key'), Buffer.from([0, 1, 2, 0xff, 0xfe]));
  expect((await done('resource', 'put', RESOURCE, 'disk.key', '--json')).json()).toMatchObject({
    stored: true,
    bytes: 5,
  });
  const passport = await done('resource', 'get', RESOURCE, '--token', 'token.jwt', '--key', 'tee.key');
  expect([...passport.bytes]).toEqual([0, 1, 2, 0xff, 0xfe]);
  const session = await done('resource', 'get', RESOURCE, '--sample', '--json');
  expect(session.json()).toEqual({ resource: RESOURCE, content: 'AAEC//4=' });

  const { items } = (await done('decision', 'list', '--json', '--kind', 'release')).json() as {
    items: { id: string; subject: string }[];
  };
  expect(items[0]).toMatchObject({ subject: `resource ${RESOURCE}`, outcome: 'granted' });
  expect((await done('decision', 'show', items[0]!.id, '--json')).json()).toMatchObject(items[0]!);
  expect((await done('decision', 'show', items[0]!.id)).stdout).toContain(RESOURCE);

  await done('resource', 'delete', RESOURCE);
  const gone = await verigo('resource', 'get', RESOURCE, '--token', 'token.jwt', '--key', 'tee.key');
  expect(gone.code).toBe(4);
  expect(gone.stderr).toMatch(
    /^error RESOURCE_NOT_FOUND: .*\ndecision: [0-9a-f-]{36}\nnext: verigo decision show/,
  );
});

test('what a policy author does', async () => {
  const { items } = (await done('policy', 'list', '--json')).json() as {
    items: { kind: string; name: string }[];
  };
  expect(items).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ kind: 'attestation', name: 'default_cpu' }),
      expect.objectContaining({ kind: 'resource', name: 'resource-policy' }),
    ]),
  );
  writeFileSync(file('mine.rego'), policyGiving(2));
  await done('policy', 'set', 'mine_cpu', 'mine.rego');
  expect((await done('policy', 'get', 'mine_cpu')).stdout).toBe(policyGiving(2));
  const { claims } = (await done('attest', '--sample', '--policy', 'mine', '--json')).json() as {
    claims: object;
  };
  expect(claims).toMatchObject({
    submods: { cpu0: { 'ear.appraisal-policy-id': 'mine', 'ear.status': 'affirming' } },
  });

  writeFileSync(file('broken.rego'), 'package policy\n\ntrust_claims := {"hardware": x}\n');
  const refused = await verigo('policy', 'set', 'mine_cpu', 'broken.rego');
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain('POLICY_DOES_NOT_COMPILE');
  expect(refused.stderr).toContain('line 3');
  expect((await done('policy', 'get', 'mine_cpu')).stdout).toBe(policyGiving(2));
  expect(await verigo('policy', 'get', 'nonesuch')).toMatchObject({ code: 4 });

  const tests = await done('policy', 'test', join(import.meta.dirname, '../../policies'), '--json');
  expect(tests.json()).toMatchObject({ passed: true });
  writeFileSync(file('mine_test.rego'), 'package policy_test\n\ntest_never if false\n');
  expect(await verigo('policy', 'test', '.')).toMatchObject({ code: 1 });
});

test('what a site without internet does', async () => {
  const list = await amd.revocationList('Milan');
  writeFileSync(file('milan-crl.der'), list);
  const imported = (await done('collateral', 'import', 'milan-crl.der', '--json')).json() as {
    items: { kind: string }[];
  };
  expect(imported.items).toHaveLength(1);
  expect((await done('collateral', 'list', '--json')).json()).toMatchObject({
    items: [{ kind: imported.items[0]!.kind, source: 'imported' }],
  });
  await done('collateral', 'export', 'bundle.json');
  const bundle = JSON.parse(readFileSync(file('bundle.json'), 'utf8')) as { items: { body: string }[] };
  expect(bundle.items.map(({ body }) => body)).toEqual([Buffer.from(list).toString('base64')]);
  await done('collateral', 'import', 'bundle.json');
  writeFileSync(file('nothing.der'), 'nothing');
  expect(await verigo('collateral', 'import', 'nothing.der')).toMatchObject({ code: 1 });
});

test('what somebody with evidence does', async () => {
  writeFileSync(file('evidence.json'), JSON.stringify(await amd.evidence()));
  const inspected = await done('evidence', 'inspect', 'evidence.json', '--json');
  expect(inspected.json()).toMatchObject({
    tee: 'snp',
    verified: false,
    claims: { measurement: 'a5'.repeat(48) },
  });
  const attested = await done('attest', '--tee', 'snp', '--evidence', 'evidence.json', '--json');
  expect(attested.json()).toMatchObject({
    claims: { submods: { cpu0: { 'ear.veraison.annotated-evidence': { snp: { product: 'Milan' } } } } },
  });
  writeFileSync(file('runtime.json'), '{"nonce":"another"}');
  const unbound = await verigo(
    'attest',
    '--tee',
    'snp',
    '--evidence',
    'evidence.json',
    '--runtime-data',
    'runtime.json',
  );
  expect(unbound.code).toBe(1);
  expect(unbound.stderr).toMatch(/^error REPORT_DATA_MISMATCH: /);
});

describe('exit codes and messages', () => {
  test('of the configuration', async () => {
    expect((await done('config', 'check', '--json')).json()).toEqual({ ok: true, file: 'verigo.toml' });
    const shown = await done('config', 'show');
    expect(shown.stdout).toContain('dangerously_accept_sample_evidence = true');
    writeFileSync(file('bad.toml'), '[http]\nprot = 1\n');
    const bad = await verigo('config', 'check', '--config', 'bad.toml');
    expect(bad).toMatchObject({ code: 2, stdout: '' });
    expect(bad.stderr).toContain('http.prot');
  });

  test('of administration', async () => {
    const { token } = (await done('admin', 'token', '--lifetime', '5m', '--json')).json() as {
      token: string;
    };
    await done('policy', 'list', '--admin-token', token);
    const auditor = (await done('admin', 'token', '--role', 'auditor')).stdout.trim();
    const denied = await verigo('policy', 'list', '--admin-token', auditor);
    expect(denied.code).toBe(1);
    expect(denied.stderr).toMatch(/^error ADMIN_ROLE_NOT_ALLOWED: /);
    expect(await verigo('policy', 'list', '--admin-token', 'nonsense')).toMatchObject({ code: 1 });
  });

  test('of tokens that are not valid', async () => {
    const { token } = (await done('attest', '--sample', '--json')).json() as { token: string };
    const [header, payload] = token.split('.') as [string, string];
    const forged = `${header}.${payload}.${'A'.repeat(86)}`;
    const run = await runCommand(folder, ['token', 'verify', '-'], {
      stdin: forged,
      environment: { VERIGO_SERVER: server.url },
    });
    expect(run).toMatchObject({ code: 1, stdout: '' });
    expect(run.stderr).toMatch(/^error TOKEN_NOT_VALID: /);
  });

  test('of a server that does not answer', async () => {
    const run = await verigo('attest', '--sample', '--server', 'http://127.0.0.1:1');
    expect(run.code).toBe(3);
    expect(run.stderr).toMatch(/^note: .*\n?error SERVER_UNREACHABLE: |^error SERVER_UNREACHABLE: /);
  });

  test('of wrong usage', async () => {
    for (const args of [
      ['nonesuch'],
      ['attest'],
      ['resource', 'get', 'a/b'],
      ['reference-value', 'set', 'a', '{'],
    ]) {
      const run = await verigo(...args);
      expect(run.code, args.join(' ')).toBe(2);
      expect(run.stdout, args.join(' ')).toBe('');
      expect(run.stderr.length, args.join(' ')).toBeGreaterThan(0);
    }
    expect((await done('--help')).stdout).toContain('Exit codes:');
    expect((await done('--version')).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});
