import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createAtRest } from '../../../server/storage/at-rest.ts';
import { parseMasterKey } from '../../../server/storage/master-key.ts';
import { createServerKeys, type ServerKeys } from '../../../server/storage/server-key-repository.ts';
import { makeSigningKey, signingKeyFromStore } from '../../../server/token/signing-key.ts';
import { createTokenKeys } from '../../../server/token/token-keys.ts';
import { createTestDatabase, type TestDatabase } from '../../fakes/test-database.ts';
import { AT } from './fake-issuer.ts';

let database: TestDatabase;
let store: ServerKeys;
let now = AT;

beforeAll(async () => {
  database = await createTestDatabase();
  const clock = () => now;
  const atRest = await createAtRest(database.db, parseMasterKey(randomBytes(32).toString('hex')), clock);
  store = createServerKeys({ db: database.db, atRest, clock, changes: { announce: async () => undefined } });
});

afterAll(async () => {
  await database.drop();
});

beforeEach(async () => {
  for (const { id } of await store.list('token-signing')) await store.remove('token-signing', id);
});

async function rotate(): Promise<void> {
  now = new Date(now.getTime() + 1000);
  await store.add('token-signing', makeSigningKey());
}

describe('createTokenKeys', () => {
  it('makes one key, which every replica uses', async () => {
    const [first, second] = await Promise.all([
      createTokenKeys(store, undefined),
      createTokenKeys(store, undefined),
    ]);
    expect(second.current().publicJwk).toEqual(first.current().publicJwk);
    expect(first.published()).toEqual([first.current().publicJwk]);
  });

  it('signs with the new key after a rotation and still publishes the old one', async () => {
    const keys = await createTokenKeys(store, undefined);
    const old = keys.current();
    await rotate();
    await keys.reload();
    expect(keys.current().keyId).not.toBe(old.keyId);
    expect(keys.published()).toEqual([keys.current().publicJwk, old.publicJwk]);
    expect(keys.verificationKeys().map(({ keyId }) => keyId)).toEqual([keys.current().keyId, old.keyId]);
  });

  it('uses the configured key and publishes those of the store beside it', async () => {
    await rotate();
    const configured = signingKeyFromStore(makeSigningKey().secret);
    const keys = await createTokenKeys(store, configured);
    expect(keys.current()).toBe(configured);
    expect(keys.published()).toHaveLength(2);
  });
});
