import { writeFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { EmbeddedPostgresError } from './embedded-postgres-error.ts';
import { initDatabase } from './init-database.ts';
import { findBinaries, type PostgresBinaries } from './postgres-binaries.ts';
import { databaseUrl, type PostgresFolder, preparePostgresFolder } from './postgres-folder.ts';
import { inUse, ownerFile, waitForUnlocked } from './postgres-lock.ts';
import { type PostgresProcess, type PostgresSettings, startPostgresProcess } from './postgres-process.ts';
import { findSystemUser } from './system-user.ts';

export interface EmbeddedPostgresOptions {
  /** The program's own folder; the database lies in `postgres` below it and outlives restarts. */
  readonly dataDir: string;
  /** Gets the server's log, a line a call. */
  readonly log: (line: string) => void;
  /** Server settings (postgresql.conf) that differ from ours. */
  readonly settings?: PostgresSettings;
  /** Where root puts what Postgres, running as another user, could not reach otherwise. */
  readonly stateDir?: string;
  readonly cacheDir?: string;
}

export interface EmbeddedPostgres {
  /** The address for `connect`: a socket that only this operating system user can open. */
  readonly url: string;
  stop(): Promise<void>;
}

const DATABASE = 'verigo';
const SHORTEST_RESTART_DELAY_MS = 500;
const LONGEST_RESTART_DELAY_MS = 30_000;

/**
 * Starts the Postgres that comes with the program, on a Unix socket only, and keeps it running: one that dies is
 * started again. It ends with our process, however that ends.
 * Throws EmbeddedPostgresError; every code is one that the operator has to act on.
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const { dataDir, stateDir = '/var/lib/verigo', cacheDir = '/var/cache/verigo' } = options;
  const folder = await preparePostgresFolder(dataDir, stateDir, await findSystemUser());
  const binaries = await findBinaries(folder.user, cacheDir);
  await initDatabase(binaries, folder);
  const keeper = await keepRunning(() => start(binaries, folder, options), options.log);
  try {
    await createDatabase(folder);
  } catch (error) {
    await keeper.stop();
    throw error;
  }
  return { url: databaseUrl(folder, DATABASE), stop: () => keeper.stop() };
}

async function start(
  binaries: PostgresBinaries,
  folder: PostgresFolder,
  { settings = {}, log }: EmbeddedPostgresOptions,
): Promise<PostgresProcess> {
  await waitForUnlocked(folder);
  try {
    const server = await startPostgresProcess(binaries, folder, settings, log);
    await writeFile(ownerFile(folder), `${process.pid}\n`);
    return server;
  } catch (error) {
    // Two that start at the same moment both find no lock; Postgres lets one in.
    if (error instanceof EmbeddedPostgresError && error.message.includes('lock file'))
      throw await inUse(folder);
    throw error;
  }
}

/** Starts the server again when it ends by itself, at growing intervals as long as that fails. */
async function keepRunning(
  startOnce: () => Promise<PostgresProcess>,
  log: (line: string) => void,
): Promise<{ stop(): Promise<void> }> {
  const closing = new AbortController();
  const isClosing = (): boolean => closing.signal.aborted;
  let server = await startOnce();
  const restart = async (): Promise<void> => {
    for (
      let wait = SHORTEST_RESTART_DELAY_MS;
      !isClosing();
      wait = Math.min(wait * 2, LONGEST_RESTART_DELAY_MS)
    ) {
      await delay(wait, undefined, { signal: closing.signal }).catch(() => undefined);
      if (isClosing()) return;
      try {
        server = await startOnce();
        return;
      } catch (error) {
        log(String(error));
      }
    }
  };
  const supervise = async (): Promise<void> => {
    await server.ended;
    while (!isClosing()) {
      log('the embedded Postgres ended; starting it again');
      await restart();
      if (!isClosing()) await server.ended;
    }
  };
  const supervised = supervise();
  return {
    async stop() {
      closing.abort();
      await server.stop();
      await supervised;
      await server.stop(); // a restart may have been under way; stopping twice is harmless
    },
  };
}

async function createDatabase(folder: PostgresFolder): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl(folder, 'postgres') });
  client.on('error', () => undefined); // a connection that breaks also fails the query in flight, which is seen
  await client.connect();
  try {
    const found = await client.query('select 1 from pg_database where datname = $1', [DATABASE]);
    if (found.rowCount === 0) await client.query(`create database ${DATABASE}`);
  } finally {
    await client.end();
  }
}
