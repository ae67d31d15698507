import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadAdminKey, mintAdminToken } from '../../server/admin/admin-key.ts';
import { systemClock } from '../../server/clock.ts';
import { type TestConfigOptions, writeTestConfig } from './test-config.ts';

export interface SpawnVerigoOptions extends TestConfigOptions {
  /** The folder of data and configuration, which then outlives the process; one of its own, unless said. */
  readonly folder?: string;
  /** Beside PATH and the like. */
  readonly environment?: Readonly<Record<string, string>>;
}

/** `node verigo.js serve`, as a user would run it. With `await using`, a test that fails leaves none behind. */
export interface VerigoProcess extends AsyncDisposable {
  readonly url: string;
  readonly folder: string;
  readonly pid: number;
  /** What it wrote so far, to both of its outputs. */
  output(): string;
  adminToken(role?: string): Promise<string>;
  /** Sends the signal (SIGTERM) and resolves to the exit code when the process is gone; null: a signal ended it. */
  stop(signal?: 'SIGTERM' | 'SIGINT' | 'SIGKILL'): Promise<number | null>;
}

/** The process ended before it listened. */
export class VerigoDidNotStart extends Error {
  readonly exitCode: number | null;
  readonly output: string;

  constructor(exitCode: number | null, output: string) {
    super(`expected the server to start, but it ended with ${exitCode}:\n${output}`);
    this.exitCode = exitCode;
    this.output = output;
  }
}

const PROJECT = join(import.meta.dirname, '../..');
const LISTENING = /listens on (http:\/\/\S+)/;
const START_TIMEOUT_MS = 60_000;

/** What a command of this project may see of the environment: nothing that would configure it. */
export function cleanEnvironment(): Record<string, string> {
  const names = ['PATH', 'HOME', 'TMPDIR', 'LANG', 'GOPROXY', 'GOCACHE', 'GOPATH', 'GOFLAGS'];
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = process.env[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
}

/** Starts the server in a process of its own and resolves when it listens. Throws VerigoDidNotStart. */
export async function spawnVerigo(options: SpawnVerigoOptions): Promise<VerigoProcess> {
  const folder = options.folder ?? mkdtempSync(join(tmpdir(), 'verigo-'));
  const file = writeTestConfig(folder, options);
  const child = spawn(process.execPath, [join(PROJECT, 'verigo.js'), 'serve', '--config', file], {
    cwd: folder,
    env: { ...cleanEnvironment(), ...options.environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  const closed = once(child, 'close') as Promise<[number | null]>;
  const removeFolder = (): void => {
    if (options.folder === undefined) rmSync(folder, { recursive: true, force: true });
  };
  const url = await listening(child, closed, () => output).catch((error: unknown) => {
    removeFolder();
    throw error;
  });
  const stop: VerigoProcess['stop'] = async (signal = 'SIGTERM') => {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal);
    const [code] = await closed;
    removeFolder();
    return code;
  };
  return {
    url,
    folder,
    pid: child.pid!,
    output: () => output,
    adminToken: async (role = 'admin') =>
      mintAdminToken(await loadAdminKey(join(folder, 'admin.key')), {
        role,
        subject: 'test',
        lifetimeSeconds: 600,
        at: systemClock(),
      }),
    stop,
    async [Symbol.asyncDispose]() {
      await stop();
    },
  };
}

async function listening(
  child: ChildProcess,
  closed: Promise<[number | null]>,
  output: () => string,
): Promise<string> {
  const deadline = setTimeout(() => child.kill('SIGKILL'), START_TIMEOUT_MS);
  const said = new Promise<string>((resolve) => {
    child.stderr!.on('data', () => {
      const url = LISTENING.exec(output())?.[1];
      if (url !== undefined) resolve(url);
    });
  });
  const ended = closed.then(([code]): never => {
    throw new VerigoDidNotStart(code, output());
  });
  try {
    return await Promise.race([said, ended]);
  } finally {
    clearTimeout(deadline);
    ended.catch(() => undefined);
  }
}
