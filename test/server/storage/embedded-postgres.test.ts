import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmod,
  mkdtemp,
  readFile,
  readlink,
  realpath,
  rename,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../../server/storage/embedded-postgres.ts';
import { findBinaries } from '../../../server/storage/postgres-binaries.ts';
import { findSystemUser, mayTraverse } from '../../../server/storage/system-user.ts';

const isRoot = process.geteuid?.() === 0;
/** Where every test has to run, one that cannot fails instead of being skipped. */
const mustRun = process.env['TEST_REQUIRE_TOOLS'] !== undefined;
if (!isRoot && !mustRun) console.warn('not root: what concerns root is skipped');
let folder: string;
let running: EmbeddedPostgres[];
const log: string[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'verigo-embedded-'));
  await chmod(folder, 0o755);
  running = [];
});

afterEach(async () => {
  for (const postgres of running) await postgres.stop();
  await rm(folder, { recursive: true, force: true });
});

async function start(dataDir = join(folder, 'data')): Promise<EmbeddedPostgres> {
  const postgres = await startEmbeddedPostgres({
    dataDir,
    stateDir: join(folder, 'state'),
    cacheDir: join(folder, 'cache'),
    settings: { fsync: 'off' },
    log: (line) => log.push(line),
  });
  running.push(postgres);
  return postgres;
}

async function query(url: string, text: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  try {
    const { rows } = await client.query<unknown[]>({ text, rowMode: 'array' });
    return rows.flat();
  } finally {
    await client.end();
  }
}

async function postmasterPid(dataDir: string): Promise<number> {
  const home = await realpath(join(dataDir, 'postgres'));
  return Number((await readFile(join(home, 'data', 'postmaster.pid'), 'utf8')).split('\n')[0]);
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 150; tries++) {
    if (await condition()) return;
    await delay(100);
  }
  throw new Error('it did not happen in 15 seconds');
}

/** Another process that runs the embedded Postgres and prints its address. */
async function startElsewhere(dataDir: string): Promise<{ child: ChildProcess; url: string }> {
  const module = join(import.meta.dirname, '../../../server/storage/embedded-postgres.ts');
  const program = `
    const { startEmbeddedPostgres } = await import(${JSON.stringify(module)});
    const { url } = await startEmbeddedPostgres({ dataDir: ${JSON.stringify(dataDir)}, log: () => undefined,
      stateDir: ${JSON.stringify(join(folder, 'state'))}, cacheDir: ${JSON.stringify(join(folder, 'cache'))} });
    process.stdout.write(url);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [url] = (await once(child.stdout, 'data')) as [Buffer];
  return { child, url: url.toString() };
}

describe('startEmbeddedPostgres', () => {
  it('keeps its data over a restart, in UTF-8 sorted by bytes, and listens on a socket only', async () => {
    const first = await start();
    await query(first.url, 'create table kept (word text)');
    await query(first.url, "insert into kept values ('b'), ('ä'), ('B')");
    expect(await query(first.url, 'show listen_addresses')).toEqual(['']);
    expect(await query(first.url, 'show fsync')).toEqual(['off']);
    expect(await query(first.url, 'show server_encoding')).toEqual(['UTF8']);
    await first.stop();
    await first.stop(); // twice is harmless
    const second = await start();
    expect(await query(second.url, 'select word from kept order by word')).toEqual(['B', 'b', 'ä']);
  });

  it('refuses a data folder that another process uses, and names the process', async () => {
    await start();
    await expect(start()).rejects.toMatchObject({
      code: 'DATA_FOLDER_IN_USE',
      message: expect.stringContaining(`process ${process.pid}`) as string,
    });
  });

  it('ends with a process that is killed, and starts again at once', async () => {
    const dataDir = join(folder, 'data');
    const { child, url } = await startElsewhere(dataDir);
    await query(url, 'create table kept (n int)');
    const pid = await postmasterPid(dataDir);
    child.kill('SIGKILL');
    const again = await start(dataDir);
    expect(isAlive(pid)).toBe(false);
    expect(await query(again.url, 'select count(*) from kept')).toEqual(['0']);
  });

  it('starts the server again when that is killed', async () => {
    const dataDir = join(folder, 'data');
    const postgres = await start(dataDir);
    await query(postgres.url, 'create table kept (n int)');
    const pid = await postmasterPid(dataDir);
    process.kill(pid, 'SIGKILL');
    await until(
      async () =>
        await query(postgres.url, 'select 1 from kept').then(
          () => true,
          () => false,
        ),
    );
    expect(await postmasterPid(dataDir)).not.toBe(pid);
  });

  it.each([
    ['of a process that is gone', 999_999_999],
    ['with the number of a process that is no Postgres', process.pid],
  ])('takes over a lock file %s', async (_what, pid) => {
    const dataDir = join(folder, 'data');
    await (await start(dataDir)).stop();
    const home = await realpath(join(dataDir, 'postgres'));
    await writeFile(join(home, 'data', 'postmaster.pid'), `${pid}\n${join(home, 'data')}\n`);
    await expect(start(dataDir)).resolves.toMatchObject({ url: expect.stringContaining('verigo') as string });
  });

  it('says when the database was removed and the link to it was not', async () => {
    const dataDir = join(folder, 'data');
    await (await start(dataDir)).stop();
    await rename(join(dataDir, 'postgres'), join(dataDir, 'moved'));
    await symlink(join(folder, 'nowhere'), join(dataDir, 'postgres'));
    await expect(start(dataDir)).rejects.toMatchObject({ code: 'DATA_FOLDER_MISSING' });
  });

  it('says why the server does not start', async () => {
    const dataDir = join(folder, 'data');
    await (await start(dataDir)).stop();
    const home = await realpath(join(dataDir, 'postgres'));
    await writeFile(join(home, 'data', 'PG_VERSION'), '9.6\n');
    await expect(start(dataDir)).rejects.toMatchObject({
      code: 'START_FAILED',
      message: expect.stringContaining('incompatible') as string,
    });
  });

  it.runIf(isRoot || mustRun)('works for root in a folder that nobody else can enter', async () => {
    const closed = await mkdtemp(join(folder, 'closed-'));
    const dataDir = join(closed, 'data');
    const postgres = await start(dataDir);
    expect(await query(postgres.url, 'select 1')).toEqual([1]);
    expect(await readlink(join(dataDir, 'postgres'))).toContain(join(folder, 'state', 'postgres-'));
    await postgres.stop();
    const again = await start(dataDir);
    expect(await query(again.url, 'select 1')).toEqual([1]);
  });

  it('works where the path is too long for a socket', async () => {
    const postgres = await start(join(folder, 'x'.repeat(120)));
    expect(await query(postgres.url, 'select 1')).toEqual([1]);
  });
});

describe('findBinaries', () => {
  it('finds programs that the user can reach', async () => {
    const user = await findSystemUser();
    const binaries = await findBinaries(user, join(folder, 'cache'));
    expect(await mayTraverse(user, join(binaries.postgres, '..'))).toBe(true);
  });
});
