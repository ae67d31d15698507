import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);
const TOOL_TIMEOUT_MS = 20_000;

/** Whether this machine has a software TPM and the tools for it (packages swtpm, tpm2-tools). */
export function hasSwtpm(): boolean {
  return [
    ['swtpm', 'socket', '--help'],
    ['tpm2_quote', '--version'],
  ].every(([command = '', ...words]) => spawnSync(command, words).status === 0);
}

/** A TPM 2.0 in software, in a folder of its own, that answers the real tools. */
export interface Swtpm {
  /** Where it listens, as the tools' TPM2TOOLS_TCTI has it. */
  readonly tcti: string;
  /** Runs `tpm2_<name>` with these words, inside of its folder. */
  tool(name: string, ...words: readonly string[]): Promise<string>;
  read(file: string): Promise<Buffer>;
  write(file: string, bytes: Uint8Array): Promise<void>;
  stop(): Promise<void>;
}

export async function startSwtpm(): Promise<Swtpm> {
  const folder = await mkdtemp(join(tmpdir(), 'verigo-swtpm-'));
  const socket = join(folder, 'tpm');
  const child = spawn(
    'swtpm',
    [
      ...['socket', '--tpm2', '--tpmstate', `dir=${folder}`, '--flags', 'not-need-init,startup-clear'],
      ...['--server', `type=unixio,path=${socket}`, '--ctrl', `type=unixio,path=${socket}.ctrl`],
    ],
    { stdio: 'ignore' },
  );
  await untilThere(`${socket}.ctrl`, child);
  const tcti = `swtpm:path=${socket}`;
  const env = { ...process.env, TPM2TOOLS_TCTI: tcti };
  const tool = async (name: string, ...words: readonly string[]): Promise<string> => {
    const { stdout } = await run(`tpm2_${name}`, words, { cwd: folder, env, timeout: TOOL_TIMEOUT_MS });
    return stdout;
  };
  return {
    tcti,
    async tool(name, ...words) {
      const output = await tool(name, ...words);
      // There is room for three objects, and no resource manager to make more.
      await tool('flushcontext', '-t');
      return output;
    },
    read: async (file) => await readFile(join(folder, file)),
    write: async (file, bytes) => {
      await writeFile(join(folder, file), bytes);
    },
    async stop() {
      const exit = child.exitCode === null ? once(child, 'exit') : undefined;
      child.kill();
      await exit;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function untilThere(path: string, child: ChildProcess): Promise<void> {
  for (let attempt = 0; attempt < 200 && child.exitCode === null; attempt++) {
    try {
      await access(path);
      return;
    } catch {
      await delay(25);
    }
  }
  child.kill();
  throw new Error('expected swtpm to listen within five seconds');
}
