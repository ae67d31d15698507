import { createHash } from 'node:crypto';
import { chmod, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readCapabilities } from '../../../server/policy/capabilities.ts';
import { type CompilePolicy, createPolicyCompiler } from '../../../server/policy/compile.ts';
import { openOpa } from '../../../server/policy/opa.ts';
import { refusalOf } from './refusal.ts';
import { CAPABILITIES } from './test-opa.ts';

const MINIMAL = 'package policy\n\ntrust_claims := {"hardware": 2}\n';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'verigo-test-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

describe('a compiler that misbehaves', () => {
  async function compilerLike(script: string): Promise<CompilePolicy> {
    const path = join(folder, `opa-${createHash('sha256').update(script).digest('hex').slice(0, 8)}`);
    await writeFile(
      path,
      `#!/bin/sh\nif [ "$1" = version ]; then echo "Version: 1.0.0"; exit 0; fi\n${script}\n`,
    );
    await chmod(path, 0o755);
    const opa = await openOpa(path);
    const capabilities = await readCapabilities(CAPABILITIES);
    return createPolicyCompiler({
      capabilities,
      findOpa: async () => {
        if (opa === undefined) throw new Error('expected it to run');
        return await Promise.resolve(opa);
      },
    });
  }

  it('runs without the environment of this process', async () => {
    const spy = await compilerLike('/usr/bin/env >&2; exit 1');
    process.env['VERIGO_TEST_SECRET'] = 'do-not-pass-on';
    const refusal = await refusalOf(spy({ kind: 'attestation', name: 'p', source: MINIMAL, mode: 'strict' }));
    expect(refusal.code).toBe('POLICY_DOES_NOT_COMPILE');
    expect(refusal.message).toContain('PWD');
    expect(refusal.message).not.toContain('do-not-pass-on');
    expect(refusal.message).not.toContain(tmpdir());
  });

  it('that disappeared is unavailable, and the policy not to blame', async () => {
    const gone = await compilerLike('exit 0');
    for (const name of await readdir(folder)) await rm(join(folder, name));
    await expect(
      gone({ kind: 'attestation', name: 'p', source: MINIMAL, mode: 'strict' }),
    ).rejects.toMatchObject({
      code: 'POLICY_COMPILER_UNAVAILABLE',
    });
  });
});
