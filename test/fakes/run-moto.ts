import { execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdir, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);
const VERSION = '5.2.5';
const FOLDER = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'verigo', `moto-${VERSION}`);
const INSTALL_MILLISECONDS = 240_000;
const START_MILLISECONDS = 30_000;

/** Whether this machine has Python with venv and pip, which bring moto. */
export function hasPython(): boolean {
  return ['venv', 'pip'].every((module) => spawnSync('python3', ['-m', module, '--help']).status === 0);
}

export interface Moto {
  readonly url: string;
  stop(): Promise<void>;
}

/** moto, which answers as AWS does; installed from PyPI into the user's cache when it is not there yet. */
export async function startMoto(): Promise<Moto> {
  await install();
  const port = await freePort();
  const child = spawn(join(FOLDER, 'bin', 'moto_server'), ['-H', '127.0.0.1', '-p', String(port)], {
    stdio: 'ignore',
  });
  const url = `http://127.0.0.1:${port}`;
  const end = performance.now() + START_MILLISECONDS;
  while (!(await isThere(url))) {
    if (child.exitCode !== null || performance.now() > end) throw new Error('moto does not start');
    await delay(100);
  }
  return {
    url,
    async stop() {
      child.kill();
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    },
  };
}

/** A file says that it is complete, so that one that was interrupted is made anew. */
async function install(): Promise<void> {
  const mark = join(FOLDER, 'complete');
  if (
    await access(mark).then(
      () => true,
      () => false,
    )
  )
    return;
  await rm(FOLDER, { recursive: true, force: true });
  await mkdir(dirname(FOLDER), { recursive: true });
  await run('python3', ['-m', 'venv', FOLDER]);
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', `moto[server]==${VERSION}`];
  await run(join(FOLDER, 'bin', 'python'), pip, { timeout: INSTALL_MILLISECONDS });
  await writeFile(mark, '');
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function isThere(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/moto-api/data.json`)).ok;
  } catch {
    return false;
  }
}
