import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { connect } from '../../server/storage/connect.ts';
import type { Db } from '../../server/storage/database.ts';
import { startEmbeddedPostgres } from '../../server/storage/embedded-postgres.ts';
import { migrateToLatest } from '../../server/storage/migrate.ts';
import { withDatabase } from '../fakes/test-database.ts';

/** One Postgres for all benchmarks: that of DATABASE_URL, else the program's own, as durable as in production. */
export interface BenchPostgres {
  /** A migrated database of its own. */
  createDatabase(name: string): Promise<BenchDatabase>;
  stop(): Promise<void>;
}

export interface BenchDatabase {
  readonly url: string;
  readonly db: Db;
  query(text: string, values?: readonly unknown[]): Promise<void>;
}

export async function startBenchPostgres(): Promise<BenchPostgres> {
  const given = process.env['DATABASE_URL'];
  const dataDir = await mkdtemp(join(tmpdir(), 'verigo-bench-postgres-'));
  await chmod(dataDir, 0o755); // as root, Postgres runs as another user, who has to get in
  const embedded =
    given === undefined ? await startEmbeddedPostgres({ dataDir, log: () => undefined }) : undefined;
  const url = given ?? embedded?.url ?? '';
  const open: { readonly name: string; readonly db: Db }[] = [];
  return {
    async createDatabase(suffix) {
      const name = `verigo_bench_${suffix}_${process.pid}`;
      await execute(url, `create database ${name}`);
      const own = withDatabase(url, name);
      await migrateToLatest(own);
      const db = connect(own, { poolSize: 4, statementTimeoutMs: 600_000 });
      open.push({ name, db });
      return {
        url: own,
        db,
        query: async (text, values) => {
          await execute(own, text, values);
        },
      };
    },
    async stop() {
      for (const { name, db } of open) {
        await db.destroy();
        await execute(url, `drop database if exists ${name} with (force)`);
      }
      await embedded?.stop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

/** Reference values under names that no policy asks for. */
export async function addReferenceValues({ query }: BenchDatabase, count: number): Promise<void> {
  await query(
    `insert into reference_value (name, value, expires_at, author, updated_at)
      select 'other_measurement_' || n, jsonb_build_object('value', jsonb_build_array(md5(n::text))), null, 'bench', now()
      from generate_series(1, $1::integer) n on conflict do nothing`,
    [count],
  );
}

export async function setReferenceValues(
  { query }: BenchDatabase,
  values: readonly (readonly [name: string, value: unknown])[],
): Promise<void> {
  for (const [name, value] of values) {
    await query(
      `insert into reference_value (name, value, expires_at, author, updated_at)
        values ($1, $2::jsonb, null, 'bench', now())`,
      [name, JSON.stringify({ value })],
    );
  }
}

/** Policies in force beside the seeded ones: copies of the default one. */
export async function addPolicies({ query }: BenchDatabase, count: number): Promise<void> {
  await query(
    `with copy as (
      insert into policy_version
        (id, kind, name, source, source_sha384, module, entrypoints, compiler, author, created_at)
      select gen_random_uuid(), kind, 'estate-' || n || '_cpu', source, source_sha384, module, entrypoints, compiler,
        author, created_at
      from policy_version, generate_series(1, $1::integer) n
      where kind = 'attestation' and name = 'default_cpu'
      returning id, kind, name, created_at)
    insert into policy (kind, name, version_id, updated_at) select kind, name, id, created_at from copy`,
    [count],
  );
}

/** Decisions of a busy past, as long as real ones. */
export async function addDecisions({ query }: BenchDatabase, count: number): Promise<void> {
  await query(
    `insert into decision (id, at, kind, outcome, code, subject, policy, policy_sha384, evidence_sha256, detail)
      select (lpad(to_hex(1700000000000 + n), 12, '0') || '7' || substr(md5(n::text), 1, 3) || '8'
        || substr(md5(n::text), 4, 15))::uuid,
        now() - n * interval '1 second', 'attestation', 'granted', null, 'snp', 'default_cpu', repeat('a', 96),
        md5(n::text) || md5(n::text), $2::jsonb
      from generate_series(1, $1::integer) n`,
    [count, JSON.stringify(DECISION_DETAIL)],
  );
  await query('vacuum analyze decision');
}

const DECISION_DETAIL = {
  nonce: 'issued',
  submods: {
    cpu0: {
      tee: 'snp',
      policy: 'default_cpu',
      policy_sha384: 'a'.repeat(96),
      trust_vector: { hardware: 2, executables: 3, configuration: 2 },
      reference_values_asked: { snp_bootloader: 'present', snp_microcode: 'present', snp_snp_svn: 'present' },
    },
  },
};

async function execute(url: string, text: string, values: readonly unknown[] = []): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  try {
    await client.query(text, [...values]);
  } finally {
    await client.end();
  }
}
