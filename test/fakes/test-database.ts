import { createHash, randomBytes } from 'node:crypto';
import { chmod, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { connect } from '../../server/storage/connect.ts';
import type { Db } from '../../server/storage/database.ts';
import { startEmbeddedPostgres } from '../../server/storage/embedded-postgres.ts';
import { migrateToLatest } from '../../server/storage/migrate.ts';

export interface SharedPostgres {
  readonly url: string;
  stop(): Promise<void>;
}

export interface TestDatabase {
  readonly db: Db;
  readonly url: string;
  drop(): Promise<void>;
}

/** Nothing of a test has to survive a power cut. */
const FAST = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off', max_connections: '300' };
/** Keeps test runs that share a server from making the template at the same time. */
const TEMPLATE_LOCK = 0x74_65_73_74;

/** One Postgres for a whole test run: that of TEST_DATABASE_URL, else the program's own in a temporary folder. */
export async function startSharedPostgres(): Promise<SharedPostgres> {
  const given = process.env['TEST_DATABASE_URL'];
  if (given !== undefined) {
    await makeTemplate(given);
    return { url: given, stop: async () => undefined };
  }
  const dataDir = await mkdtemp(join(tmpdir(), 'verigo-test-'));
  await chmod(dataDir, 0o755); // as root, Postgres runs as another user, who has to get in
  const postgres = await startEmbeddedPostgres({ dataDir, settings: FAST, log: () => undefined });
  await makeTemplate(postgres.url);
  return {
    url: postgres.url,
    async stop() {
      await postgres.stop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

/** A migrated database of its own, empty. The tests of one file may share one, or each take their own. */
export async function createTestDatabase(): Promise<TestDatabase> {
  const shared = process.env['TEST_DATABASE_URL'];
  if (shared === undefined) throw new Error('test/global-setup.ts has not run');
  const name = `test_${randomBytes(8).toString('hex')}`;
  const template = await templateName();
  await withClient(shared, (client) => client.query(`create database ${name} template ${template}`));
  const url = withDatabase(shared, name);
  const db = connect(url, { poolSize: 5 });
  return {
    db,
    url,
    async drop() {
      await db.destroy();
      await withClient(shared, (client) => client.query(`drop database if exists ${name} with (force)`));
    },
  };
}

/** The same server's address with another database. */
export function withDatabase(url: string, name: string): string {
  const changed = new URL(url);
  changed.pathname = `/${name}`;
  return changed.href;
}

async function makeTemplate(url: string): Promise<void> {
  const name = await templateName();
  await withClient(url, async (client) => {
    await client.query('select pg_advisory_lock($1)', [TEMPLATE_LOCK]);
    const found = await client.query('select 1 from pg_database where datname = $1', [name]);
    if (found.rowCount !== 0) return;
    const unfinished = `${name}_unfinished`;
    await client.query(`drop database if exists ${unfinished} with (force)`);
    await client.query(`create database ${unfinished}`);
    await migrateToLatest(withDatabase(url, unfinished));
    await client.query(`alter database ${unfinished} rename to ${name}`);
  });
}

/** By the content of the migrations: a server that outlives a test run keeps one template for each shape. */
async function templateName(): Promise<string> {
  const folder = join(import.meta.dirname, '..', '..', 'migrations');
  const hash = createHash('sha256');
  for (const file of (await readdir(folder)).sort())
    hash.update(file).update(await readFile(join(folder, file)));
  return `verigo_template_${hash.digest('hex').slice(0, 12)}`;
}

async function withClient<T>(url: string, use: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return await use(client);
  } finally {
    await client.end();
  }
}
