import { mkdir } from 'node:fs/promises';
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

/** Starts or reaches the database, brings it up to date, and opens what is sealed in it. */
export async function openStorage(config: Config, options: StorageOptions): Promise<Storage> {
  const { clock, report } = options;
  await mkdir(config.data_dir, { recursive: true, mode: 0o700 });
  const embedded =
    config.database.url === undefined
      ? await startEmbeddedPostgres({ dataDir: config.data_dir, log: options.logPostgres })
      : undefined;
  const url = embedded?.url ?? config.database.url ?? '';
  try {
    await migrateToLatest(url);
    const db = connect(url, { poolSize: config.database.pool_size, onIdleError: report });
    const masterKey = await loadMasterKey({
      configured: config.keys.master_key,
      file: config.keys.master_key_file,
      mayCreate: await isUnsealed(db),
    });
    const atRest = await createAtRest(db, masterKey, clock);
    const changes = createChanges({ db, url, report });
    const serverKeys = createServerKeys({ db, atRest, changes, clock });
    await changes.start();
    const sweeper = createSweeper({ db, clock, report });
    sweeper.start();
    return {
      db,
      atRest,
      changes,
      serverKeys,
      kind: embedded === undefined ? 'external' : 'embedded',
      async checkReady() {
        await db.selectFrom('change_topic').select('topic').limit(1).execute();
      },
      async close() {
        await sweeper.stop();
        await changes.stop();
        await db.destroy();
        await embedded?.stop();
      },
    };
  } catch (error) {
    await embedded?.stop();
    throw error;
  }
}

/** A master key may be made only where nothing has been sealed under another one. */
async function isUnsealed(db: Db): Promise<boolean> {
  const key = await db.selectFrom('data_key').select('id').limit(1).executeTakeFirst();
  return key === undefined;
}
