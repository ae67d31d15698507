import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createNonceRepository } from '../../../server/freshness/nonce-repository.ts';
import { connect } from '../../../server/storage/connect.ts';
import type { Db } from '../../../server/storage/database.ts';
import { createTestDatabase, type TestDatabase } from '../../fakes/test-database.ts';

const expiresAt = new Date('2026-11-23T12:05:00Z');

describe('the nonce repository', () => {
  let database: TestDatabase;
  let elsewhere: Db;
  beforeEach(async () => {
    database = await createTestDatabase();
    elsewhere = connect(database.url, { poolSize: 2 });
  });
  afterEach(async () => {
    await elsewhere.destroy();
    await database.drop();
  });

  it('lets one of two replicas win, for each of many nonces that come in opposite orders', async () => {
    const [here, there] = [createNonceRepository(database.db), createNonceRepository(elsewhere)];
    for (let round = 0; round < 10; round++) {
      const nonces = Array.from({ length: 200 }, () => ({ hash: randomBytes(32), expiresAt }));
      const ours = Promise.all(nonces.map(async (nonce) => await here.submit(nonce)));
      const theirs = Promise.all(nonces.toReversed().map(async (nonce) => await there.submit(nonce)));
      const [first, second] = [await ours, (await theirs).toReversed()];
      expect(first.every((won, index) => won !== second[index])).toBe(true);
    }
  });

  it('has written a nonce when it says so, with the time until which it is remembered', async () => {
    const hash = randomBytes(32);
    expect(await createNonceRepository(database.db).submit({ hash, expiresAt })).toBe(true);
    expect(await elsewhere.selectFrom('spent_nonce').selectAll().execute()).toEqual([
      { hash, expires_at: expiresAt },
    ]);
  });

  it('says neither yes nor no without a database', async () => {
    const nowhere = connect('postgresql://verigo@127.0.0.1:1/verigo');
    await expect(
      createNonceRepository(nowhere).submit({ hash: randomBytes(32), expiresAt }),
    ).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' });
    await nowhere.destroy();
  });
});
