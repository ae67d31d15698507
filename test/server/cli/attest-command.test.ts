import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { DECISION_ID, type FakeVerigo, startFakeVerigo } from '../../fakes/fake-verigo.ts';
import { runVerigo, type VerigoRun, type VerigoSurroundings } from '../../fakes/run-verigo.ts';

let fake: FakeVerigo;
let cwd: string;

beforeAll(async () => {
  cwd = mkdtempSync(join(tmpdir(), 'verigo-cli-'));
});
afterAll(() => {
  rmSync(cwd, { recursive: true });
});
beforeEach(async () => {
  fake = await startFakeVerigo();
});
afterEach(async () => {
  await fake.stop();
});

async function run(args: readonly string[], around: VerigoSurroundings = {}): Promise<VerigoRun> {
  return await runVerigo([...args, '--server', fake.url], { cwd, ...around });
}

function sentRequest(): unknown {
  const sent = fake.seen.findLast(({ path }) => path === '/attestation');
  return JSON.parse(sent?.body.toString() ?? 'null') as unknown;
}

describe('attest --sample', () => {
  it('binds its evidence to a fresh nonce and its key, and says what came of it', async () => {
    const { code, stdout, stderr } = await run(['attest', '--sample', '--key-out', 'k', '--out', 't']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^CPU0 +contraindicated$/m);
    expect(stdout).toMatch(/^hardware +97 +contraindicated +hardware or firmware that is not recognized$/m);
    expect(stdout).toMatch(/^expires +2026-11-24T10:05:00.000Z \(in 300 s\)$/m);
    expect(fake.seen.map(({ path }) => path)).toEqual(['/challenge', '/attestation']);
    expect(statSync(join(cwd, 'k')).mode & 0o777).toBe(0o600);
    expect(statSync(join(cwd, 't')).mode & 0o777).toBe(0o600);
  });

  it('prints the token for machines, with its decision', async () => {
    const { stdout, stderr } = await run(['attest', '--sample', '--json', '--policy', 'strict']);
    expect(JSON.parse(stdout)).toMatchObject({
      token: expect.stringMatching(/^ey/) as string,
      decision_id: DECISION_ID,
      claims: { submods: { cpu0: { 'ear.status': 'contraindicated' } } },
    });
    expect(stderr).toContain('note: without --key-out');
    expect(sentRequest()).toMatchObject({ policy_ids: ['strict'] });
  });

  it('replaces a key file that others could read', async () => {
    writeFileSync(join(cwd, 'wide'), 'old', { mode: 0o644 });
    await run(['attest', '--sample', '--key-out', 'wide']);
    expect(statSync(join(cwd, 'wide')).mode & 0o777).toBe(0o600);
  });

  it.each([
    ['no token', '/attestation', { body: 'hello' }, 'SERVER_REPLY_UNEXPECTED'],
    ['no nonce', '/challenge', { body: '' }, 'SERVER_REPLY_UNEXPECTED'],
  ])('refuses a server that gives %s', async (_what, path, reply, errorCode) => {
    fake.answer(path, reply);
    const { code, stderr } = await run(['attest', '--sample']);
    expect(code).toBe(3);
    expect(stderr).toContain(`error ${errorCode}`);
  });
});

describe('attest --evidence', () => {
  it('sends the document as it is written, long integers included', async () => {
    const document = '{"attestation_report":{"policy":18446744073709551615}}';
    writeFileSync(join(cwd, 'e.json'), document);
    writeFileSync(join(cwd, 'r.json'), '{"nonce":"n"}');
    writeFileSync(join(cwd, 'i.toml'), 'version = "0.1.0"');
    fake.answer('/attestation', { body: await fake.mint(null) });
    const { code } = await run([
      'attest',
      '--tee',
      'snp',
      '--evidence',
      'e.json',
      '--runtime-data',
      'r.json',
      '--init-data',
      'i.toml',
    ]);
    expect(code).toBe(0);
    expect(sentRequest()).toEqual({
      policy_ids: [],
      verification_requests: [
        {
          tee: 'snp',
          evidence: Buffer.from(document).toString('base64url'),
          runtime_data: { structured: { nonce: 'n' } },
          init_data: { init_data_toml: 'version = "0.1.0"' },
        },
      ],
    });
  });

  it('sends raw runtime data in base64url', async () => {
    writeFileSync(join(cwd, 'e.json'), '{}');
    await run(['attest', '--tee', 'snp', '--evidence', 'e.json', '--runtime-data-raw', '00ff']);
    expect(sentRequest()).toMatchObject({ verification_requests: [{ runtime_data: { raw: 'AP8' } }] });
  });

  it.each([
    ['neither sample nor evidence', [], 'USAGE'],
    ['a TEE without evidence', ['--tee', 'snp'], 'USAGE'],
    ['sample with evidence', ['--sample', '--tee', 'snp'], 'USAGE'],
    ['a key for evidence that has one', ['--tee', 'snp', '--evidence', 'e.json', '--key-out', 'k'], 'USAGE'],
    [
      'runtime data twice',
      ['--tee', 'snp', '--evidence', 'e.json', '--runtime-data', 'r', '--runtime-data-raw', '00'],
      'USAGE',
    ],
    [
      'runtime data that is not hex',
      ['--tee', 'snp', '--evidence', 'e.json', '--runtime-data-raw', 'xyz'],
      'USAGE',
    ],
    ['evidence that is not there', ['--tee', 'snp', '--evidence', 'absent'], 'INPUT_UNREADABLE'],
    ['evidence that is not JSON', ['--tee', 'snp', '--evidence', 'bad.json'], 'INPUT_INVALID'],
    ['evidence that is not text', ['--tee', 'snp', '--evidence', 'bytes'], 'INPUT_INVALID'],
    [
      'runtime data that is no object',
      ['--tee', 'snp', '--evidence', 'e.json', '--runtime-data', 'list.json'],
      'INPUT_INVALID',
    ],
    ['a folder that is not there', ['--sample', '--out', 'absent/t'], 'OUTPUT_UNWRITABLE'],
  ])('refuses %s', async (_what, args, errorCode) => {
    writeFileSync(join(cwd, 'e.json'), '{}');
    writeFileSync(join(cwd, 'bad.json'), '{"a":1,"a":2}');
    writeFileSync(join(cwd, 'bytes'), Buffer.from([0xff]));
    writeFileSync(join(cwd, 'list.json'), '[]');
    const { code, stderr } = await run(['attest', ...args]);
    expect(stderr).toContain(`error ${errorCode}`);
    expect(code).toBe(2);
  });
});
