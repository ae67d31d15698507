import { type Kysely, sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { migrations } from '../../../migrations/index.ts';
import { migrateToLatest } from '../../../server/storage/migrate.ts';
import { createTestDatabase, type TestDatabase } from '../../fakes/test-database.ts';

const next = {
  up: async (db: Kysely<unknown>): Promise<void> => {
    await sql`select pg_sleep(0.2)`.execute(db); // long enough for another process to come in between
    await sql`create table later (n int)`.execute(db);
  },
};
const withNext = { ...migrations, '2999-01-01T0000_later': next };

describe('migrateToLatest', () => {
  let database: TestDatabase;
  beforeEach(async () => {
    database = await createTestDatabase();
  });
  afterEach(async () => {
    await database.drop();
  });

  it('makes every table of an empty database', async () => {
    await sql`drop schema public cascade`.execute(database.db);
    await sql`create schema public`.execute(database.db);
    expect(await migrateToLatest(database.url)).toEqual(Object.keys(migrations).sort());
    expect(await database.db.selectFrom('decision').selectAll().execute()).toEqual([]);
  });

  it('changes nothing the second time', async () => {
    expect(await migrateToLatest(database.url)).toEqual([]);
  });

  it('lets processes that start at once take turns', async () => {
    const applied = await Promise.all(
      [1, 2, 3].map(async () => await migrateToLatest(database.url, withNext)),
    );
    expect(applied.flat()).toEqual(['2999-01-01T0000_later']);
  });

  it('lets processes take turns at a database that is empty', async () => {
    await sql`drop schema public cascade`.execute(database.db);
    await sql`create schema public`.execute(database.db);
    const applied = await Promise.all([1, 2, 3].map(async () => await migrateToLatest(database.url)));
    expect(applied.flat().sort()).toEqual(Object.keys(migrations).sort());
  });

  it('refuses a database that a later release has migrated', async () => {
    await migrateToLatest(database.url, withNext);
    await expect(migrateToLatest(database.url)).rejects.toMatchObject({
      code: 'DATABASE_NEWER',
      message: expect.stringContaining('2999-01-01T0000_later') as string,
    });
  });

  it('changes nothing when a migration fails, and names it', async () => {
    const broken = {
      up: async (db: Kysely<unknown>): Promise<void> => {
        await sql`create table half (n int)`.execute(db);
        await sql`select 1 / 0`.execute(db);
      },
    };
    await expect(
      migrateToLatest(database.url, { ...migrations, '2999_broken': broken }),
    ).rejects.toMatchObject({
      code: 'MIGRATION_FAILED',
      message: expect.stringContaining('2999_broken') as string,
    });
    expect((await sql`select to_regclass('half') as half`.execute(database.db)).rows).toEqual([
      { half: null },
    ]);
  });

  it('is unavailable without a database', async () => {
    await expect(migrateToLatest('postgresql://a@127.0.0.1:1/b')).rejects.toMatchObject({
      code: 'STORAGE_UNAVAILABLE',
    });
  });
});
