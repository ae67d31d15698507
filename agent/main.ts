import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runCommandLine } from './cli/command-line.ts';

/** The folder of the package: this file lies in `agent/` of it, or in `dist/agent/` once built. */
const packageFolder = ['..', '../..']
  .map((up) => fileURLToPath(new URL(up, import.meta.url)))
  .find((folder) => existsSync(resolve(folder, 'package.json')));
if (packageFolder === undefined) throw new Error('expected package.json above the program, got none');
const { version } = JSON.parse(await readFile(resolve(packageFolder, 'package.json'), 'utf8')) as {
  version: string;
};

process.exitCode = await runCommandLine(process.argv.slice(2), {
  version,
  env: process.env,
  cwd: process.cwd(),
  root: '/',
  architecture: process.arch,
  clock: () => new Date(),
  writeStdout: (chunk) => {
    process.stdout.write(chunk);
  },
  writeStderr: (chunk) => {
    process.stderr.write(chunk);
  },
});
