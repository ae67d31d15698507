import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { z } from 'zod';

/** The server under test, a process of its own. */
export interface BenchServer {
  readonly address: string;
  /** From the start of the process until it was ready. */
  readonly startMilliseconds: number;
  /** Processor time that it has used so far, all threads. */
  cpuMicroseconds(): Promise<number>;
  /** What of its memory is resident now, and the most that ever was. */
  memory(): Promise<{ readonly mebibytes: number; readonly peakMebibytes: number }>;
  stop(): Promise<void>;
}

export interface BenchServerOptions {
  readonly dataDir: string;
  readonly databaseUrl: string;
  readonly settings?: Readonly<Record<string, string>>;
  /** For Node, before the program. */
  readonly nodeArguments?: readonly string[];
}

const PROJECT = join(import.meta.dirname, '../..');
const packageSchema = z.object({ scripts: z.object({ start: z.string().startsWith('node ') }) });
/** What `npm start` gives to Node. */
const START = packageSchema
  .parse(JSON.parse(readFileSync(join(PROJECT, 'package.json'), 'utf8')))
  .scripts.start.split(' ')
  .slice(1);
const START_TIMEOUT_MILLISECONDS = 120_000;
const LISTENING = /listens on (http:\/\/\S+)/;
/** The kernel counts processor time in these, a hundred a second (`sysconf(_SC_CLK_TCK)`). */
const TICK_MICROSECONDS = 10_000;

/** Starts the server on a free port, and waits until it is ready. */
export async function startBenchServer(options: BenchServerOptions): Promise<BenchServer> {
  const started = performance.now();
  const child = spawn(process.execPath, [...(options.nodeArguments ?? []), ...START], {
    cwd: PROJECT,
    env: {
      ...process.env,
      DATABASE_URL: options.databaseUrl,
      VERIGO_DATA_DIR: options.dataDir,
      VERIGO_HTTP__PORT: '0',
      VERIGO_HTTP__RATE_LIMIT_PER_MINUTE: '0',
      VERIGO_LOG__LEVEL: 'warn',
      ...options.settings,
    },
    stdio: ['ignore', 'inherit', 'pipe'],
  });
  const said: string[] = [];
  const lines = createInterface({ input: child.stderr }).on('line', (line) => said.push(line));
  const address = await addressOf(child, lines, said);
  let isStopping = false;
  child.once('exit', (code, signal) => {
    if (!isStopping) process.stderr.write(`a server ended (${signal ?? code}):\n${said.join('\n')}\n`);
  });
  const ready = await fetch(`${address}/readyz`);
  if (!ready.ok) throw new Error(`expected the server to be ready, got ${ready.status}`);
  const startMilliseconds = performance.now() - started;
  return {
    address,
    startMilliseconds,
    cpuMicroseconds: async () => {
      const stat = await readFile(`/proc/${child.pid}/stat`, 'utf8');
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return (Number(fields[11]) + Number(fields[12])) * TICK_MICROSECONDS; // utime, stime (proc_pid_stat(5))
    },
    memory: async () => {
      const status = await readFile(`/proc/${child.pid}/status`, 'utf8');
      const mebibytes = (name: string): number =>
        Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) / 1024;
      return { mebibytes: mebibytes('VmRSS'), peakMebibytes: mebibytes('VmHWM') };
    },
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      isStopping = true;
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      await ended;
    },
  };
}

/** The address of the banner. Throws with what the server said when it does not come up. */
async function addressOf(child: ChildProcess, lines: Interface, said: readonly string[]): Promise<string> {
  return await new Promise((resolve, reject) => {
    const fail = (why: string): void => {
      child.kill('SIGKILL');
      reject(new Error(`expected the server to start, ${why}:\n${said.join('\n')}`));
    };
    const timer = setTimeout(() => {
      fail('got nothing in time');
    }, START_TIMEOUT_MILLISECONDS);
    child.once('exit', () => {
      clearTimeout(timer);
      fail('it ended');
    });
    lines.on('line', (line) => {
      const address = LISTENING.exec(line)?.[1];
      if (address === undefined) return;
      clearTimeout(timer);
      child.removeAllListeners('exit');
      resolve(address);
    });
  });
}
