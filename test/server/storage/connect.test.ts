import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CouldNotCheckError } from '../../../server/errors/could-not-check-error.ts';
import { connect } from '../../../server/storage/connect.ts';
import type { Db } from '../../../server/storage/database.ts';
import { startEmbeddedPostgres } from '../../../server/storage/embedded-postgres.ts';
import { migrateToLatest } from '../../../server/storage/migrate.ts';
import { createTestDatabase, type TestDatabase, withDatabase } from '../../fakes/test-database.ts';

const UNAVAILABLE = { constructor: CouldNotCheckError, code: 'STORAGE_UNAVAILABLE' };

describe('connect', () => {
  let database: TestDatabase;
  let db: Db;
  beforeAll(async () => {
    database = await createTestDatabase();
    db = database.db;
  });
  afterAll(async () => {
    await database.drop();
  });

  it('reads 64-bit numbers as text, times as dates, bytes as bytes and JSON as values', async () => {
    const { rows } = await sql`select 9007199254740993 as big, '1970-01-01Z'::timestamptz as at,
      '\\x00ff'::bytea as bytes, '{"a":[1]}'::jsonb as json`.execute(db);
    expect(rows).toEqual([
      { big: '9007199254740993', at: new Date(0), bytes: Buffer.from([0, 255]), json: { a: [1] } },
    ]);
  });

  it('prepares a statement once for each connection', async () => {
    await db.connection().execute(async (connection) => {
      for (let run = 0; run < 3; run++) await connection.selectFrom('resource').select('path').execute();
      const { rows } = await sql<{ statement: string }>`select statement from pg_prepared_statements
        where statement like 'select "path"%'`.execute(connection);
      expect(rows).toHaveLength(1);
    });
  });

  it('leaves what the database says about a statement as it is', async () => {
    const row = { path: 'a/b/c', sealed: Buffer.of(1), size: 1, updated_at: new Date() };
    await db.insertInto('resource').values(row).execute();
    await expect(db.insertInto('resource').values(row).execute()).rejects.toMatchObject({ code: '23505' });
    expect(await db.selectFrom('resource').select('path').execute()).toEqual([{ path: 'a/b/c' }]);
  });

  it.each([
    ['nobody listens', 'postgresql://verigo:secret@127.0.0.1:1/verigo'],
    ['the socket is gone', 'postgresql://verigo:secret@localhost/verigo?host=%2Fnonexistent'],
    ['the name is unknown', 'postgresql://verigo:secret@database.invalid/verigo'],
  ])('is unavailable when %s, and tells no address', async (_what, url) => {
    const nowhere = connect(url);
    const failure: unknown = await nowhere
      .selectFrom('policy')
      .selectAll()
      .execute()
      .catch((error: unknown) => error);
    expect(failure).toMatchObject(UNAVAILABLE);
    expect(String(failure)).not.toMatch(/secret|127\.0|nonexistent|invalid/);
    await nowhere.destroy();
  });

  it('is unavailable when the database does not exist', async () => {
    const nowhere = connect(withDatabase(database.url, 'there_is_none'));
    await expect(nowhere.selectFrom('policy').selectAll().execute()).rejects.toMatchObject(UNAVAILABLE);
    await nowhere.destroy();
  });

  it('is unavailable when no connection comes free in time', async () => {
    const narrow = connect(database.url, { poolSize: 1, connectionTimeoutMs: 50 });
    await narrow.connection().execute(async () => {
      await expect(sql`select 1`.execute(narrow)).rejects.toMatchObject(UNAVAILABLE);
    });
    expect((await sql`select 1 as one`.execute(narrow)).rows).toEqual([{ one: 1 }]);
    await narrow.destroy();
  });

  it('is unavailable when a statement takes too long, on a connection that lives on', async () => {
    const hasty = connect(database.url, { poolSize: 1, statementTimeoutMs: 50 });
    await expect(sql`select pg_sleep(5)`.execute(hasty)).rejects.toMatchObject(UNAVAILABLE);
    expect((await sql`select 1 as one`.execute(hasty)).rows).toEqual([{ one: 1 }]);
    await hasty.destroy();
  });

  it('is unavailable on a server that became read-only, and leaves that connection', async () => {
    const demoted = connect(database.url, { poolSize: 1 });
    const pid = async (): Promise<unknown> => (await sql`select pg_backend_pid()`.execute(demoted)).rows;
    const before = await pid();
    await sql`set default_transaction_read_only = on`.execute(demoted);
    const write = demoted.deleteFrom('resource').execute();
    await expect(write).rejects.toMatchObject(UNAVAILABLE);
    expect(await pid()).not.toEqual(before);
    await demoted.destroy();
  });

  it('survives that the server ends its connections, busy and idle', async () => {
    const reported: Error[] = [];
    const ours = connect(database.url, { poolSize: 3, onIdleError: (error) => reported.push(error) });
    await Promise.all([1, 2].map(async () => await sql`select pg_sleep(0.05)`.execute(ours))); // two idle ones
    const busy = expect(sql`select pg_sleep(5)`.execute(ours)).rejects.toMatchObject(UNAVAILABLE);
    await sql`select pg_sleep(0.1)`.execute(db);
    await sql`select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and pid <> pg_backend_pid()
        and (query like '%pg_sleep(5)%' or query like '%pg_sleep(0.05)%')`.execute(db);
    await busy;
    await expect.poll(() => reported.length).toBeGreaterThan(0);
    expect((await sql`select 1 as one`.execute(ours)).rows).toEqual([{ one: 1 }]);
    await ours.destroy();
  });

  it('rolls a transaction back when its connection ends', async () => {
    const work = db.transaction().execute(async (transaction) => {
      await sql`insert into change_topic values ('lost', 1)`.execute(transaction);
      await sql`select pg_terminate_backend(pg_backend_pid())`.execute(transaction);
    });
    await expect(work).rejects.toMatchObject(UNAVAILABLE);
    expect(await db.selectFrom('change_topic').selectAll().execute()).toEqual([]);
  });

  it('survives that a connection ends between two statements of a transaction', async () => {
    const work = db.transaction().execute(async (transaction) => {
      const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(transaction);
      await sql`select pg_terminate_backend(${rows[0]!.pid})`.execute(db);
      await sql`select pg_sleep(0.1)`.execute(db);
      await transaction.selectFrom('policy').selectAll().execute();
    });
    await expect(work).rejects.toMatchObject(UNAVAILABLE);
    expect((await sql`select 1 as one`.execute(db)).rows).toEqual([{ one: 1 }]);
  });

  it.each(['postgresql://verigo:secret@host:notaport/db', 'http://[secret'])(
    'refuses %s without repeating it',
    (url) => {
      expect(() => connect(url)).toThrow(
        expect.objectContaining({ code: 'DATABASE_URL_MALFORMED' }) as Error,
      );
      expect(() => connect(url)).not.toThrow(/secret/);
    },
  );
});

describe('a database that stops and comes back', () => {
  it('is unavailable meanwhile and is used again', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'verigo-heal-'));
    await chmod(folder, 0o755);
    const start = async () =>
      await startEmbeddedPostgres({ dataDir: folder, settings: { fsync: 'off' }, log: () => undefined });
    let postgres = await start();
    await migrateToLatest(postgres.url);
    const db = connect(postgres.url);
    const read = async (): Promise<unknown> => await db.selectFrom('policy').selectAll().execute();
    try {
      expect(await read()).toEqual([]);
      await postgres.stop();
      await expect(read()).rejects.toMatchObject(UNAVAILABLE);
      await expect(read()).rejects.toMatchObject(UNAVAILABLE);
      postgres = await start();
      expect(await read()).toEqual([]);
    } finally {
      await db.destroy();
      await postgres.stop();
      await rm(folder, { recursive: true, force: true });
    }
  });
});
