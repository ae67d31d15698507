import { type Kysely, sql } from 'kysely';
import { type Migration, Migrator } from 'kysely/migration';
import { migrations as ownMigrations } from '../../migrations/index.ts';
import { CodedError } from '../errors/coded-error.ts';
import { connect } from './connect.ts';
import type { Tables } from './database.ts';

/** `DATABASE_NEWER`: a later release of the program has been here. `MIGRATION_FAILED`: nothing was changed. */
class MigrationError extends CodedError<'DATABASE_NEWER' | 'MIGRATION_FAILED'> {}

/** A migration may rewrite a table, and a second process waits for the first. */
const STATEMENT_TIMEOUT_MS = 600_000;
/** Any number that nothing else in the database locks: "verigo" in ASCII. */
const LOCK_ID = 0x76_65_72_69_67_6f;

/**
 * Brings the database to the shape that this program knows, in one transaction, and says which migrations that took.
 * Processes that start together take turns. Migrations only go forward.
 * Throws MigrationError, CouldNotCheckError STORAGE_UNAVAILABLE.
 */
export async function migrateToLatest(
  url: string,
  migrations: Readonly<Record<string, Migration>> = ownMigrations,
): Promise<readonly string[]> {
  const db = connect(url, { poolSize: 2, statementTimeoutMs: STATEMENT_TIMEOUT_MS });
  try {
    return await db.connection().execute(async (connection) => {
      await sql`select pg_advisory_lock(${sql.lit(LOCK_ID)})`.execute(connection);
      try {
        await refuseNewerDatabase(connection, migrations);
        return await runMigrator(connection, migrations);
      } finally {
        await sql`select pg_advisory_unlock(${sql.lit(LOCK_ID)})`.execute(connection);
      }
    });
  } finally {
    await db.destroy();
  }
}

async function runMigrator(
  db: Kysely<Tables>,
  migrations: Readonly<Record<string, Migration>>,
): Promise<readonly string[]> {
  const migrator = new Migrator({ db, provider: { getMigrations: async () => ({ ...migrations }) } });
  const { error, results = [] } = await migrator.migrateToLatest();
  if (error === undefined) return results.map((result) => result.migrationName);
  if (error instanceof CodedError) throw error;
  const failed = results.find((result) => result.status === 'Error');
  throw new MigrationError('MIGRATION_FAILED', `migration ${failed?.migrationName ?? ''} failed`, {
    cause: error,
  });
}

async function refuseNewerDatabase(
  db: Kysely<Tables>,
  migrations: Readonly<Record<string, Migration>>,
): Promise<void> {
  const table = await sql<{ found: boolean }>`
    select to_regclass('kysely_migration') is not null as found`.execute(db);
  if (table.rows[0]?.found !== true) return;
  const done = await sql<{ name: string }>`select name from kysely_migration order by name`.execute(db);
  const unknown = done.rows.filter(({ name }) => !Object.hasOwn(migrations, name));
  if (unknown.length === 0) return;
  throw new MigrationError(
    'DATABASE_NEWER',
    `expected a database that this release knows, got one with ${unknown.length} later migrations ` +
      `(${unknown.map(({ name }) => name).join(', ')}); start the later release`,
  );
}
