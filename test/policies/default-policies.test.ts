import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Json, JsonObject } from '../../server/claims/claims.ts';
import type { PolicyKind } from '../../server/policy/policy.ts';
import { testPolicies } from '../../server/policy/test-policies.ts';
import { evaluateOnce } from '../server/policy/evaluate-once.ts';
import { CAPABILITIES, findTestOpa, testCompiler } from '../server/policy/test-opa.ts';

const POLICIES = join(import.meta.dirname, '..', '..', 'policies');

async function opa(...args: readonly string[]): Promise<string> {
  const { path } = await findTestOpa();
  const { stdout } = await promisify(execFile)(path, [...args], { cwd: POLICIES });
  return stdout;
}

async function compiled(kind: PolicyKind, name: string, path: string): Promise<Uint8Array> {
  const compile = await testCompiler();
  const source = await readFile(join(POLICIES, path), 'utf8');
  return (await compile({ kind, name, source, mode: 'strict' })).module;
}

describe('the policies', () => {
  it('are formatted', async () => {
    expect(await opa('fmt', '--list', '.')).toBe('');
  });

  it.each([
    'attestation/default_cpu',
    'attestation/default_gpu',
    'attestation/default_switch',
    'attestation/default_ppcie',
    'resource/resource-policy',
    'samples/by-repository',
  ])('%s is strict Rego with its tests', async (folder) => {
    await opa('check', '--strict', '--capabilities', CAPABILITIES, folder);
  });

  it('pass their own tests', async () => {
    const { passed, output } = await testPolicies(findTestOpa, CAPABILITIES, POLICIES);
    expect(output.match(/^PASS: /gm)).toHaveLength(6);
    expect(passed, output).toBe(true);
  });

  it('without any test have not passed', async () => {
    const { passed } = await testPolicies(
      findTestOpa,
      CAPABILITIES,
      join(POLICIES, '..', 'reference-values'),
    );
    expect(passed).toBe(false);
  });
});

describe('default_cpu, compiled', () => {
  let module: Uint8Array;
  beforeAll(async () => {
    module = await compiled('attestation', 'default_cpu', 'attestation/default_cpu/default_cpu.rego');
  });

  async function verdict(claims: JsonObject, values: Readonly<Record<string, Json>> = {}) {
    const document = (await evaluateOnce(module, claims, { values })) as {
      trust_claims: Record<string, number>;
      extensions: unknown;
    };
    const { executables, hardware, configuration } = document.trust_claims;
    return { vector: [executables, hardware, configuration], document };
  }

  const sample = { svn: '1', launch_digest: 'abcde', platform_version: { major: 1, minor: 4 }, debug: false };

  it('judges the sample TEE without reference values as documented', async () => {
    const { document } = await verdict({ report_data: 'AA==', runtime_data_claims: { nonce: 'n' }, sample });
    expect(document).toEqual({
      trust_claims: {
        'instance-identity': 0,
        configuration: 2,
        executables: 33,
        'file-system': 0,
        hardware: 97,
        'runtime-opaque': 0,
        'storage-opaque': 0,
        'sourced-data': 0,
      },
      extensions: [{ name: 'ear.trustee.identifiers', key: -18, value: { validated: {} } }],
    });
  });

  it('judges the sample TEE with reference values', async () => {
    const values = { svn: ['1'], launch_digest: ['abcde'], major_version: 1, minimum_minor_version: 1 };
    expect((await verdict({ sample }, values)).vector).toEqual([3, 2, 2]);
    expect((await verdict({ sample }, { ...values, minimum_minor_version: 5 })).vector).toEqual([3, 97, 2]);
    const withoutMinimum = { svn: ['1'], launch_digest: ['abcde'], major_version: 1 };
    expect((await verdict({ sample }, withoutMinimum)).vector).toEqual([3, 97, 2]);
  });

  it('judges an SNP guest without reference values by its policy alone', async () => {
    const snp = {
      measurement: 'aa',
      policy_debug_allowed: false,
      policy_migrate_ma: false,
      reported_tcb_snp: 14,
    };
    expect((await verdict({ snp })).vector).toEqual([33, 97, 3]);
    expect((await verdict({ snp: { ...snp, policy_debug_allowed: true } })).vector).toEqual([33, 97, 36]);
  });

  it('knows no TEE whose claims have another name', async () => {
    const known = { measurement: ['aa'] };
    expect((await verdict({ az_snp_vtpm: { measurement: 'aa' } }, known)).vector).toEqual([33, 97, 36]);
    expect((await verdict({}, known)).vector).toEqual([33, 97, 36]);
  });
});

describe('the default resource policy, compiled', () => {
  it('opens to guests all of whose submodules are affirming', async () => {
    const module = await compiled(
      'resource',
      'resource-policy',
      'resource/resource-policy/resource-policy.rego',
    );
    const data = { plugin: 'resource', 'resource-path': ['a', 'b', 'c'], query: {} };
    const allow = async (statuses: readonly string[]) => {
      const submods = Object.fromEntries(
        statuses.map((status, index) => [`cpu${index}`, { 'ear.status': status }]),
      );
      return await evaluateOnce(module, { submods }, { data });
    };
    expect(await allow(['affirming', 'affirming'])).toEqual({ allow: true });
    expect(await allow(['affirming', 'warning'])).toEqual({ allow: false });
    expect(await allow([])).toEqual({ allow: false });
  });
});
