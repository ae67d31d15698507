import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createSweeper } from '../../../server/storage/sweeper.ts';
import { createTestDatabase, type TestDatabase } from '../../fakes/test-database.ts';

const now = new Date('2026-11-23T12:00:00Z');
const minutesAgo = (minutes: number): Date => new Date(now.getTime() - minutes * 60_000);

let database: TestDatabase;
let reported: unknown[];
beforeEach(async () => {
  reported = [];
  database = await createTestDatabase();
});
afterEach(async () => {
  await database.drop();
});

function sweeperOf(intervalMs = 60_000) {
  const report = (error: unknown) => reported.push(error);
  return createSweeper({ db: database.db, clock: () => now, batchSize: 10, intervalMs, report });
}

async function addNonces(count: number, expiresAt: Date): Promise<void> {
  const rows = Array.from({ length: count }, () => ({ hash: randomBytes(32), expires_at: expiresAt }));
  await database.db.insertInto('spent_nonce').values(rows).execute();
}

const left = async (): Promise<number> =>
  (await database.db.selectFrom('spent_nonce').select('hash').execute()).length;

describe('createSweeper', () => {
  it('deletes what expired, in several batches, and keeps what a clock that is behind still needs', async () => {
    await addNonces(35, minutesAgo(11));
    await addNonces(3, minutesAgo(9));
    await addNonces(2, minutesAgo(-5));
    await database.db
      .insertInto('kbs_session')
      .values({ id_hash: randomBytes(32), sealed_token: Buffer.of(1), expires_at: minutesAgo(60) })
      .execute();
    expect(await sweeperOf().sweep()).toBe(36);
    expect(await left()).toBe(5);
    expect(await database.db.selectFrom('kbs_session').selectAll().execute()).toEqual([]);
  });

  it('shares the work with another replica', async () => {
    await addNonces(200, minutesAgo(11));
    const swept = await Promise.all([sweeperOf().sweep(), sweeperOf().sweep()]);
    expect(swept[0] + swept[1]).toBe(200);
    expect(await left()).toBe(0);
  });

  it('works at intervals until it is stopped, and through failures', async () => {
    const sweeper = sweeperOf(20);
    sweeper.start();
    await addNonces(5, minutesAgo(11));
    await expect.poll(left).toBe(0);
    await database.db.schema.alterTable('spent_nonce').renameTo('away').execute();
    await expect.poll(() => reported.length).toBeGreaterThan(0);
    await database.db.schema.alterTable('away').renameTo('spent_nonce').execute();
    await addNonces(5, minutesAgo(11));
    await expect.poll(left).toBe(0);
    await sweeper.stop();
    await addNonces(1, minutesAgo(11));
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(await left()).toBe(1);
  });
});
