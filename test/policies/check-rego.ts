/** `npm run rego`: format, strict check and tests of every policy, with the pinned OPA and our built-ins. */
import { execFileSync } from 'node:child_process';
import { globSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createOpaFinder } from '../../server/policy/find-opa.ts';
import { testPolicies } from '../../server/policy/test-policies.ts';

const policies = join(import.meta.dirname, '../../policies');
const capabilities = join(policies, 'capabilities.json');
const findOpa = createOpaFinder({
  configuredPath: process.env['VERIGO_OPA'],
  environment: process.env,
  onProgress: (line) => {
    console.error(line);
  },
});
const { path: opa } = await findOpa();
const files = globSync('**/*.rego', { cwd: policies });
const folders = [...new Set(files.map((file) => dirname(file)))].sort();
if (folders.length === 0) throw new Error(`expected policies below ${policies}, got none`);

run(['fmt', '--fail', '--diff', policies]);
// Every policy is `package policy`, so each folder is checked by itself.
for (const folder of folders)
  run(['check', '--strict', '--capabilities', capabilities, join(policies, folder)]);
const { passed, output } = await testPolicies(findOpa, capabilities, policies);
console.log(output.trim());
console.log(
  `${files.length} Rego files in ${folders.length} folders: format, strict check and tests ${passed ? 'pass' : 'FAIL'}`,
);
process.exitCode = passed ? 0 : 1;

function run(args: readonly string[]): void {
  try {
    execFileSync(opa, args, { stdio: 'inherit' });
  } catch {
    console.error(`opa ${args[0] ?? ''} found something to correct`);
    process.exit(1);
  }
}
