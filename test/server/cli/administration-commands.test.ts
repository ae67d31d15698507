import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { inspectSampleEvidence } from '../../../server/cli/sample-evidence.ts';
import { CodedError } from '../../../server/errors/coded-error.ts';
import { DECISION_ID, type FakeVerigo, startFakeVerigo } from '../../fakes/fake-verigo.ts';
import { runVerigo, type VerigoRun, type VerigoSurroundings } from '../../fakes/run-verigo.ts';

let fake: FakeVerigo;
let cwd: string;

beforeAll(() => {
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

describe('policy', () => {
  it('is set, read, listed', async () => {
    const rego = 'package policy\n\nallow := true\n';
    writeFileSync(join(cwd, 'p.rego'), rego);
    expect(await run(['policy', 'set', '--kind', 'resource', 'default', 'p.rego'])).toMatchObject({
      code: 0,
    });
    expect(fake.seen.at(-1)).toMatchObject({ method: 'PUT', path: '/api/v1/policies/resource/default' });
    const read = await run(['policy', 'get', 'default', '--kind', 'resource']);
    expect(read).toMatchObject({ code: 0, stdout: rego });
    const list = await run(['policy', 'list']);
    expect(list.stdout).toMatch(/^KIND +NAME +SHA-384 +AUTHOR +SINCE\n- +default/);
    expect(await run(['policy', 'get', 'default'])).toMatchObject({ code: 4 });
  });

  it('takes standard input, and names that are no path', async () => {
    await run(['policy', 'set', 'a/../b', '-'], { stdin: 'package policy' });
    expect(fake.seen.at(-1)).toMatchObject({ path: '/api/v1/policies/attestation/a%2F..%2Fb' });
    expect(await run(['policy', 'set', '..', '-'], { stdin: 'x' })).toMatchObject({ code: 2 });
  });

  it('is tested by the OPA that was found', async () => {
    const folders: string[] = [];
    const testPolicies = async (_config: unknown, folder: string) => {
      folders.push(folder);
      return { passed: folder === 'policies', output: 'ran\n' };
    };
    const services = { testPolicies };
    expect(await run(['policy', 'test'], { services })).toMatchObject({ code: 0, stdout: 'ran\n' });
    const failed = await run(['policy', 'test', 'other', '--json'], { services });
    expect(failed).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('POLICY_TESTS_FAILED') as string,
    });
    expect(JSON.parse(failed.stdout)).toEqual({ passed: false, output: 'ran\n' });
    expect(folders).toEqual(['policies', 'other']);
  });
});

describe('reference-value', () => {
  it('is set, read, listed over pages, deleted', async () => {
    await run(['reference-value', 'set', 'svn', '["1"]', '--expires', '30d']);
    await run(['reference-value', 'set', 'rvps:///a/b:v1', '2', '--expires', '2027-06-30']);
    expect(await run(['reference-value', 'get', 'svn'])).toMatchObject({ code: 0, stdout: '[\n  "1"\n]\n' });
    const list = await run(['reference-value', 'list', '--json']);
    expect(JSON.parse(list.stdout)).toEqual({
      items: [
        { name: 'svn', value: ['1'], expires_at: '2026-12-24T10:00:00.000Z' },
        { name: 'rvps:///a/b:v1', value: 2, expires_at: '2027-06-30T00:00:00.000Z' },
      ],
    });
    expect(await run(['reference-value', 'delete', 'svn'])).toMatchObject({ code: 0 });
    expect(await run(['reference-value', 'delete', 'svn'])).toMatchObject({ code: 4 });
  });

  it('goes out as it was typed', async () => {
    await run(['reference-value', 'set', 'mask', '18446744073709551615']);
    expect(fake.seen.at(-1)?.body.toString()).toBe('{"value":18446744073709551615,"expires_at":null}');
  });

  it.each([
    ['a value that is not JSON', ['svn', 'one'], 'INPUT_INVALID'],
    ['a value and more', ['svn', '1,"expires_at":null'], 'INPUT_INVALID'],
    ['an expiry in the past', ['svn', '1', '--expires', '2020-01-01'], 'USAGE'],
    ['an expiry that is no time', ['svn', '1', '--expires', '2027-13-01'], 'USAGE'],
    ['an expiry in other words', ['svn', '1', '--expires', 'tomorrow'], 'USAGE'],
    ['no name', ['', '1'], 'USAGE'],
  ])('refuses %s', async (_what, args, errorCode) => {
    const { code, stderr } = await run(['reference-value', 'set', ...args]);
    expect(code).toBe(2);
    expect(stderr).toContain(`error ${errorCode}`);
    expect(fake.seen).toEqual([]);
  });
});

describe('decision', () => {
  it('is listed as asked', async () => {
    const args = ['decision', 'list', '--outcome', 'denied', '--kind', 'release', '--limit', '5'];
    const { code, stdout } = await run(args);
    expect(code).toBe(0);
    expect(fake.seen.at(-1)?.path).toBe('/api/v1/decisions?limit=5&kind=release&outcome=denied');
    expect(stdout).toMatch(/release +denied +POLICY_DENIED +resource default\/keys\/disk/);
    expect(stdout).toContain(`Older ones: --before ${DECISION_ID}`);
  });

  it('is shown with what explains it', async () => {
    const { code, stdout } = await run(['decision', 'show', DECISION_ID]);
    expect(code).toBe(0);
    expect(stdout).toContain('"status": "contraindicated"');
    expect(await run(['decision', 'show', 'other'])).toMatchObject({ code: 4 });
  });
});

describe('collateral', () => {
  it('is exported with its owner’s mode, and imported again', async () => {
    expect(await run(['collateral', 'export', 'bundle.json'])).toMatchObject({ code: 0 });
    const bundle = JSON.parse(readFileSync(join(cwd, 'bundle.json'), 'utf8')) as { items: unknown };
    writeFileSync(join(cwd, 'crl.der'), Buffer.from([0x30, 0x00]));
    const { code, stdout } = await run(['collateral', 'import', 'bundle.json', 'crl.der']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^IMPORTED AS +KEY\nsnp-crl +item 0\nsnp-crl +item 1\n$/);
    const sent = JSON.parse(fake.seen.at(-1)?.body.toString() ?? '') as { items: unknown[] };
    expect(sent.items).toEqual([...(bundle.items as unknown[]), { body: 'MAA=', name: 'crl.der' }]);
  });

  it('is sent in requests that servers take', async () => {
    const files = ['a.der', 'b.der', 'c.der'];
    files.forEach((file) => {
      writeFileSync(join(cwd, file), Buffer.alloc(600_000, 0x30));
    });
    await run(['collateral', 'import', ...files]);
    expect(fake.seen).toHaveLength(3);
    expect(Math.max(...fake.seen.map(({ body }) => body.byteLength))).toBeLessThan(1 << 20);
  });

  it('goes to standard output, and is listed', async () => {
    expect(JSON.parse((await run(['collateral', 'export'])).stdout)).toMatchObject({ form: 1 });
    expect((await run(['collateral', 'list'])).stdout).toMatch(
      /snp-crl +Milan +2027-01-01T00:00:00Z +fetched/,
    );
  });

  it('leaves it to the server what other JSON is', async () => {
    writeFileSync(join(cwd, 'tcb-info.json'), '{"tcbInfo":{}}');
    await run(['collateral', 'import', 'tcb-info.json']);
    const sent = JSON.parse(fake.seen.at(-1)?.body.toString() ?? '') as { items: unknown[] };
    expect(sent.items).toEqual([
      { body: Buffer.from('{"tcbInfo":{}}').toString('base64'), name: 'tcb-info.json' },
    ]);
  });

  it('refuses JSON that is none', async () => {
    writeFileSync(join(cwd, 'other.json'), '{"a":1');
    expect(await run(['collateral', 'import', 'other.json'])).toMatchObject({ code: 2 });
  });
});

describe('evidence inspect', () => {
  const inspectors = {
    snp: (evidence: { form: string }) => {
      if (evidence.form !== 'bytes') throw new CodedError('MALFORMED', 'expected 1184 bytes');
      return { version: 3, measurement: 'ab'.repeat(48) };
    },
    sample: inspectSampleEvidence,
  };

  it.each([
    ['sample evidence', '{"svn":"1","report_data":"AA=="}', 'sample', { svn: '1', report_data: 'AA==' }],
    ['a raw report', Buffer.from([2, 0, 0, 0]), 'snp', { version: 3, measurement: 'ab'.repeat(48) }],
  ])('reads %s for what it is, and says that nothing is proven', async (_what, stdin, tee, claims) => {
    const { code, stdout, stderr } = await run(['evidence', 'inspect', '-', '--json'], {
      stdin,
      services: { inspectors },
    });
    expect(code).toBe(0);
    expect(stderr).toBe('note: nothing of this has been verified\n');
    expect(JSON.parse(stdout)).toEqual({ tee, verified: false, claims });
  });

  it('shows a table to people, harmless to their terminal', async () => {
    const stdin = '{"svn":"\\u001b[2J"}';
    const { stdout } = await run(['evidence', 'inspect', '-'], { stdin });
    expect(stdout).toMatch(/^TEE +sample\nsvn +\\u001b\[2J\n/);
  });

  it.each([
    ['what nothing can read', '{"a":1}', []],
    ['a form that the TEE does not have', '{"svn":"1"}', ['--tee', 'snp']],
    ['a TEE that is not known', '{"svn":"1"}', ['--tee', 'sgy']],
    ['bytes that are no text', Buffer.from([0x7b, 0xff]), []],
    ['nothing', '', []],
  ])('refuses %s', async (_what, stdin, args) => {
    const services = { inspectors: { ...inspectors, snp: inspectors.snp } };
    const only = { inspectors: { sample: inspectSampleEvidence } };
    const { code, stdout } = await run(['evidence', 'inspect', '-', ...args], {
      stdin,
      services: args.length === 0 ? only : services,
    });
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  });
});
