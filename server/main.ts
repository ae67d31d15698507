import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { loadAdminKey, mintAdminToken } from './admin/admin-key.ts';
import { inspectAzSnpEvidence, inspectAzTdxEvidence } from './cli/azure-evidence.ts';
import type { CommandServices } from './cli/command-io.ts';
import { runCommandLine } from './cli/command-line.ts';
import { inspectEventLog } from './cli/event-log.ts';
import { inspectSampleEvidence } from './cli/sample-evidence.ts';
import { inspectSgxEvidence } from './cli/sgx-evidence.ts';
import { inspectSnpEvidence } from './cli/snp-evidence.ts';
import { inspectTdxEvidence } from './cli/tdx-evidence.ts';
import { inspectTpmEvidence } from './cli/tpm-evidence.ts';
import { systemClock } from './clock.ts';
import { createOpaFinder } from './policy/find-opa.ts';
import { testPolicies } from './policy/test-policies.ts';
import { serve } from './serve.ts';

/** The folder of the package: this file lies in `server/` of it, or in `dist/server/` once built. */
const packageFolder = ['..', '../..']
  .map((up) => fileURLToPath(new URL(up, import.meta.url)))
  .find((folder) => existsSync(resolve(folder, 'package.json')));
if (packageFolder === undefined) throw new Error('expected package.json above the program, got none');
const policyFolder = resolve(packageFolder, 'policies');

async function packageVersion(folder: string): Promise<string> {
  const { version } = JSON.parse(await readFile(resolve(folder, 'package.json'), 'utf8')) as {
    version: string;
  };
  return version;
}

const print = (text: string): void => {
  process.stderr.write(text);
};

const services: CommandServices = {
  version: await packageVersion(packageFolder),
  serve: async (config) => {
    await serve(config, { environment: process.env, policyFolder, print });
  },
  mintAdminToken: async (keyFile, request) => mintAdminToken(await loadAdminKey(keyFile), request),
  testPolicies: async (config, folder) =>
    await testPolicies(
      createOpaFinder({ configuredPath: config.policy.opa, environment: process.env, onProgress: print }),
      resolve(policyFolder, 'capabilities.json'),
      resolve(folder),
    ),
  // The first that can read it wins. What wraps evidence of another kind comes before that; sample reads almost anything.
  inspectors: {
    'az-snp-vtpm': inspectAzSnpEvidence,
    'az-tdx-vtpm': inspectAzTdxEvidence,
    tpm: inspectTpmEvidence,
    snp: inspectSnpEvidence,
    tdx: inspectTdxEvidence,
    sgx: inspectSgxEvidence,
    'event-log': inspectEventLog,
    sample: inspectSampleEvidence,
  },
};

process.exitCode = await runCommandLine(process.argv.slice(2), {
  env: process.env,
  cwd: process.cwd(),
  clock: systemClock,
  services,
  readStdin: async () => await buffer(process.stdin),
  writeStdout: (chunk) => {
    process.stdout.write(chunk);
  },
  writeStderr: (chunk) => {
    process.stderr.write(chunk);
  },
});
