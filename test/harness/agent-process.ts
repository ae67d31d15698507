import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer, text } from 'node:stream/consumers';
import { stringify } from 'smol-toml';
import type { CommandRun } from './run-command.ts';
import { cleanEnvironment } from './spawn-verigo.ts';
import type { ConfigDocument } from './test-config.ts';

const PROGRAM = join(import.meta.dirname, '../../verigo-agent.js');
const START_TIMEOUT_MS = 30_000;

/** A guest's folder: its configuration, `aa.toml`, and room for a socket. */
export interface AgentFolder {
  readonly folder: string;
  readonly config: string;
  readonly socket: string;
  remove(): void;
}

/** The sample attester, and both ways to a token of one Verigo server; `changes` are further tables. */
export function agentFolder(url: string, changes: ConfigDocument = {}): AgentFolder {
  const folder = mkdtempSync(join(tmpdir(), 'aa-'));
  const config = join(folder, 'aa.toml');
  writeFileSync(
    config,
    stringify({
      token_configs: { coco_as: { url }, kbs: { url } },
      attester: { dangerously_use_sample_attester: true },
      ...changes,
    }),
  );
  return {
    folder,
    config,
    socket: `unix://${folder}/run/aa.sock`,
    remove: () => {
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Runs `node verigo-agent.js …` in the folder, as a user would. */
export async function runAgent(
  folder: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<CommandRun> {
  const child = spawnAgent(folder, args, environment);
  const [bytes, stderr, [code]] = await Promise.all([
    buffer(child.stdout!),
    text(child.stderr!),
    once(child, 'close') as Promise<[number | null]>,
  ]);
  const stdout = bytes.toString();
  return { code, stdout, stderr, bytes, json: () => JSON.parse(stdout) as unknown };
}

/** `verigo-agent serve`. With `await using`, a test that fails leaves none behind. */
export interface AgentProcess extends AsyncDisposable {
  readonly pid: number;
  /** What it has logged so far. */
  log(): string;
  /** Sends the signal and resolves to the exit code when the process is gone. */
  stop(signal?: 'SIGTERM' | 'SIGINT' | 'SIGHUP'): Promise<number | null>;
}

/** Resolves when it serves. Throws with what it logged when it ends before. */
export async function serveAgent(folder: string, args: readonly string[]): Promise<AgentProcess> {
  const child = spawnAgent(folder, ['serve', ...args]);
  let log = '';
  const closed = once(child, 'close') as Promise<[number | null]>;
  const serving = new Promise<void>((resolve) => {
    child.stderr!.setEncoding('utf8').on('data', (chunk: string) => {
      log += chunk;
      if (log.includes('"serving: ')) resolve();
    });
  });
  const timeout = setTimeout(() => child.kill('SIGKILL'), START_TIMEOUT_MS);
  const ended = closed.then(([code]): never => {
    throw new Error(`expected the agent to serve, but it ended with ${code}:\n${log}`);
  });
  ended.catch(() => undefined);
  await Promise.race([serving, ended]);
  clearTimeout(timeout);
  const stop: AgentProcess['stop'] = async (signal = 'SIGTERM') => {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal);
    const [code] = await closed;
    return code;
  };
  return {
    pid: child.pid!,
    log: () => log,
    stop,
    async [Symbol.asyncDispose]() {
      await stop();
    },
  };
}

function spawnAgent(
  folder: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): ChildProcess {
  return spawn(process.execPath, [PROGRAM, ...args], {
    cwd: folder,
    env: { ...cleanEnvironment(), ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}
