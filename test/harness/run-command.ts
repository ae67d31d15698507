import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { buffer, text } from 'node:stream/consumers';
import { cleanEnvironment } from './spawn-verigo.ts';

export interface CommandRun {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly bytes: Buffer;
  json(): unknown;
}

/** Runs `node verigo.js …` in the folder, as a user would. */
export async function runCommand(
  folder: string,
  args: readonly string[],
  around: { readonly stdin?: string; readonly environment?: Readonly<Record<string, string>> } = {},
): Promise<CommandRun> {
  const program = join(import.meta.dirname, '../../verigo.js');
  const child = spawn(process.execPath, [program, ...args], {
    cwd: folder,
    env: { ...cleanEnvironment(), ...around.environment },
    stdio: 'pipe',
  });
  child.stdin.end(around.stdin ?? '');
  const [bytes, stderr, [code]] = await Promise.all([
    buffer(child.stdout),
    text(child.stderr),
    once(child, 'close') as Promise<[number | null]>,
  ]);
  const stdout = bytes.toString();
  return { code, stdout, stderr, bytes, json: () => JSON.parse(stdout) as unknown };
}
