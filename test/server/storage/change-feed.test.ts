import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ChangesOptions, createChanges } from '../../../server/storage/change-feed.ts';
import type { ChangeTopic, RunningChanges } from '../../../server/storage/changes.ts';
import { createTestDatabase, type TestDatabase } from '../../fakes/test-database.ts';

let database: TestDatabase;
let running: RunningChanges[];
let reported: unknown[];

beforeEach(async () => {
  database = await createTestDatabase();
  running = [];
  reported = [];
});
afterEach(async () => {
  for (const changes of running) await changes.stop();
  await database.drop();
});

async function startReplica(options: Partial<ChangesOptions> = {}) {
  const changes = createChanges({
    db: database.db,
    url: database.url,
    report: (error) => reported.push(error),
    ...options,
  });
  const heard: ChangeTopic[] = [];
  for (const topic of ['policy', 'collateral'] as const) changes.on(topic, () => heard.push(topic));
  await changes.start();
  running.push(changes);
  return { changes, heard };
}

async function announce(changes: RunningChanges, topic: ChangeTopic): Promise<void> {
  await database.db.transaction().execute(async (transaction) => {
    await changes.announce(transaction, topic);
  });
}

const listening = async (): Promise<number> => {
  const { rows } = await sql<{ n: string }>`select count(*) as n from pg_stat_activity
    where datname = current_database() and query = 'listen verigo_change'`.execute(database.db);
  return Number(rows[0]!.n);
};

describe.each([
  ['with LISTEN', { listen: true, pollMs: 60_000 }],
  ['with polling', { listen: false }],
  ['with both', { listen: true }],
] as const)('createChanges %s', (_what, options) => {
  it('tells every replica within a second, once for each change, and only its topic', async () => {
    const replicas = [await startReplica(options), await startReplica(options)];
    if (options.listen) await expect.poll(listening).toBe(2);
    const [writer] = replicas;
    await announce(writer!.changes, 'policy');
    for (const { heard } of replicas) await expect.poll(() => heard, { timeout: 1_000 }).toEqual(['policy']);
    await announce(writer!.changes, 'policy');
    for (const { heard } of replicas) {
      await expect.poll(() => heard, { timeout: 1_000 }).toEqual(['policy', 'policy']);
    }
    await sql`select pg_sleep(0.7)`.execute(database.db); // another round of polls tells nothing new
    expect(replicas.map(({ heard }) => heard.length)).toEqual([2, 2]);
    expect(reported).toEqual([]);
  });

  it('says nothing of a change that is rolled back', async () => {
    const { changes, heard } = await startReplica(options);
    await database.db
      .transaction()
      .execute(async (transaction) => {
        await changes.announce(transaction, 'policy');
        throw new Error('changed my mind');
      })
      .catch(() => undefined);
    await sql`select pg_sleep(0.7)`.execute(database.db);
    expect(heard).toEqual([]);
  });
});

describe('createChanges', () => {
  it('says nothing of what was there when it started', async () => {
    const first = await startReplica();
    await announce(first.changes, 'policy');
    const second = await startReplica();
    await sql`select pg_sleep(0.7)`.execute(database.db);
    expect(second.heard).toEqual([]);
  });

  it('takes everything for changed after its connections broke', async () => {
    const { heard, changes } = await startReplica();
    await expect.poll(listening).toBe(1);
    await sql`select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and query = 'listen verigo_change'`.execute(database.db);
    await expect.poll(() => [...heard].sort(), { timeout: 5_000 }).toEqual(['collateral', 'policy']);
    heard.length = 0;
    await announce(changes, 'collateral');
    await expect.poll(() => heard, { timeout: 1_000 }).toEqual(['collateral']);
  });

  it('hears of counters that went back, as in a restored backup', async () => {
    const { heard, changes } = await startReplica({ listen: false, pollMs: 50 });
    await announce(changes, 'policy');
    await announce(changes, 'policy');
    await expect.poll(() => heard.length).toBeGreaterThan(0);
    await database.db.schema.alterTable('change_topic').renameTo('away').execute();
    await expect.poll(() => reported.length).toBeGreaterThan(0);
    heard.length = 0;
    await sql`update away set version = 1`.execute(database.db);
    await sql`alter table away rename to change_topic`.execute(database.db);
    await expect.poll(() => [...heard].sort()).toEqual(['collateral', 'policy']);
  });

  it('tells the other listeners when one throws', async () => {
    const { changes } = await startReplica({ pollMs: 50 });
    let told = 0;
    changes.on('server-key', () => {
      throw new Error('a listener that fails');
    });
    changes.on('server-key', () => told++);
    await announce(changes, 'server-key');
    await expect.poll(() => told).toBe(1);
    expect(reported).toEqual([expect.objectContaining({ message: 'a listener that fails' })]);
  });
});
