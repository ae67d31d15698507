import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { FindOpa } from './find-opa.ts';

/** Whether every Rego test passed, and what OPA printed. */
export interface PolicyTestResult {
  readonly passed: boolean;
  readonly output: string;
}

/**
 * Runs the Rego tests of a folder and of every folder below it, each folder by itself, since every policy is `package
 * policy`. No tests at all have not passed. Throws PolicyError POLICY_COMPILER_UNAVAILABLE.
 */
export async function testPolicies(
  findOpa: FindOpa,
  capabilitiesPath: string,
  folder: string,
): Promise<PolicyTestResult> {
  const opa = await findOpa();
  const folders = await foldersWithTests(folder);
  if (folders.length === 0) return { passed: false, output: 'no file ends in _test.rego\n' };
  const results: PolicyTestResult[] = [];
  for (const tested of folders) {
    const { passed, output } = await opa.testFolder(tested, capabilitiesPath);
    results.push({ passed, output: `${tested}\n${output}` });
  }
  return {
    passed: results.every(({ passed }) => passed),
    output: results.map(({ output }) => output).join('\n'),
  };
}

async function foldersWithTests(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true });
  const tests = entries.filter((entry) => entry.isFile() && entry.name.endsWith('_test.rego'));
  return [...new Set(tests.map(({ parentPath }) => join(parentPath)))].sort();
}
