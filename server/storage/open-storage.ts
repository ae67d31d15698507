import { mkdir } from 'node:fs/promises';
import { setTimeout as wait } from 'node:timers/promises';
import type { Clock } from '../clock.ts';
import type { Config } from '../config/load-config.ts';
import { type AtRest, createAtRest } from './at-rest.ts';
import { createChanges } from './change-feed.ts';
import type { RunningChanges } from './changes.ts';
import { connect } from './connect.ts';
import type { Db } from './database.ts';
import { startEmbeddedPostgres } from './embedded-postgres.ts';
import { loadMasterKey } from './master-key.ts';
import { migrateToLatest } from './migrate.ts';
import { createServerKeys, type ServerKeys } from './server-key-repository.ts';
import { createSweeper } from './sweeper.ts';

/** The database, migrated, with all that works on it in the background. */
export interface Storage {
  readonly db: Db;
  readonly atRest: AtRest;
  readonly changes: RunningChanges;
  readonly serverKeys: ServerKeys;
  /** Where the database is: `embedded`, or `external`. */
  readonly kind: 'embedded' | 'external';
  /** Throws when the database does not answer. */
  checkReady(): Promise<void>;
  close(): Promise<void>;
}

export interface StorageOptions {
  readonly clock: Clock;
  readonly report: (error: unknown) => void;
  readonly logPostgres: (line: string) => void;
}

const CLOSE_MILLISECONDS = 5_000;

/** Starts or reaches the database, brings it up to date, and opens what is sealed in it; on failure lets go of all of it. */
export async function openStorage(config: Config, options: StorageOptions): Promise<Storage> {
  const opened = new AsyncDisposableStack();
  try {
    return await open(config, options, opened);
  } catch (error) {
    await opened.disposeAsync();
    throw error;
  }
}

async function open(
  config: Config,
  { clock, report, logPostgres }: StorageOptions,
  opened: AsyncDisposableStack,
): Promise<Storage> {
  await mkdir(config.data_dir, { recursive: true, mode: 0o700 });
  const url = config.database.url ?? (await startEmbedded(config.data_dir, logPostgres, opened));
  await migrateToLatest(url);
  const db = connect(url, { poolSize: config.database.pool_size, onIdleError: report });
  opened.defer(async () => {
    await atMost(db.destroy());
  });
  const masterKey = await loadMasterKey({
    configured: config.keys.master_key,
    file: config.keys.master_key_file,
    mayCreate: await isUnsealed(db),
  });
  const atRest = await createAtRest(db, masterKey, clock);
  const changes = createChanges({ db, url, report });
  opened.defer(async () => {
    await atMost(changes.stop());
  });
  await changes.start();
  const sweeper = createSweeper({ db, clock, report });
  opened.defer(async () => {
    await atMost(sweeper.stop());
  });
  sweeper.start();
  return {
    db,
    atRest,
    changes,
    serverKeys: createServerKeys({ db, atRest, changes, clock }),
    kind: config.database.url === undefined ? 'embedded' : 'external',
    async checkReady() {
      await db.selectFrom('change_topic').select('topic').limit(1).execute();
    },
    close: async () => {
      await opened.disposeAsync();
    },
  };
}

async function startEmbedded(
  dataDir: string,
  log: (line: string) => void,
  opened: AsyncDisposableStack,
): Promise<string> {
  const embedded = await startEmbeddedPostgres({ dataDir, log });
  opened.defer(async () => {
    await embedded.stop();
  });
  return embedded.url;
}

/** A database that has gone silent must not keep the process: what does not close in time ends with it. */
async function atMost(closing: Promise<void>): Promise<void> {
  await Promise.race([closing, wait(CLOSE_MILLISECONDS, undefined, { ref: false })]);
}

/** A master key may be made only where nothing has been sealed under another one. */
async function isUnsealed(db: Db): Promise<boolean> {
  const key = await db.selectFrom('data_key').select('id').limit(1).executeTakeFirst();
  return key === undefined;
}
