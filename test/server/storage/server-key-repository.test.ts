import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createAtRest } from '../../../server/storage/at-rest.ts';
import { parseMasterKey } from '../../../server/storage/master-key.ts';
import {
  createServerKeys,
  type NewServerKey,
  type ServerKeys,
} from '../../../server/storage/server-key-repository.ts';
import { createTestDatabase, type TestDatabase } from '../../fakes/test-database.ts';

let database: TestDatabase;
let keys: ServerKeys;
let announced: string[];
let now = new Date('2026-11-23T12:00:00Z');

async function createHere(): Promise<ServerKeys> {
  const clock = () => now;
  const changes = {
    announce: async (_: unknown, topic: string) => {
      announced.push(topic);
    },
  };
  const atRest = await createAtRest(database.db, parseMasterKey('11'.repeat(32)), clock);
  return createServerKeys({ db: database.db, atRest, changes, clock });
}

const makeKey = (id: string): NewServerKey => ({ id, secret: randomBytes(32), publicJwk: undefined });

beforeEach(async () => {
  announced = [];
  database = await createTestDatabase();
  keys = await createHere();
});
afterEach(async () => {
  await database.drop();
});

describe('createServerKeys', () => {
  it('makes a key once, for replicas that ask at once too', async () => {
    const there = await createHere();
    let made = 0;
    const make = async () => makeKey(`key-${++made}`);
    const got = await Promise.all(
      [keys, there, keys, there].map(async (some) => await some.loadOrCreate('freshness', make)),
    );
    expect(new Set(got.map(({ id }) => id))).toEqual(new Set(['key-1']));
    expect(new Set(got.map(({ secret }) => Buffer.from(secret).toString('hex'))).size).toBe(1);
    expect(announced).toEqual(['server-key']);
  });

  it('keeps purposes apart and the public half readable', async () => {
    const publicJwk = { kty: 'EC', crv: 'P-256', x: 'x', y: 'y' };
    await keys.add('token-signing', { ...makeKey('signing'), publicJwk });
    expect(await keys.list('freshness')).toEqual([]);
    expect(await keys.list('token-signing')).toMatchObject([{ id: 'signing', publicJwk, createdAt: now }]);
  });

  it('lists the newest first, after a rotation', async () => {
    await keys.loadOrCreate('freshness', async () => makeKey('old'));
    now = new Date(now.getTime() + 1_000);
    await keys.add('freshness', makeKey('new'));
    expect((await keys.list('freshness')).map(({ id }) => id)).toEqual(['new', 'old']);
    expect((await keys.loadOrCreate('freshness', async () => makeKey('never'))).id).toBe('new');
    expect(await keys.remove('freshness', 'old')).toBe(true);
    expect(await keys.remove('freshness', 'old')).toBe(false);
    expect((await keys.list('freshness')).map(({ id }) => id)).toEqual(['new']);
  });

  it('does not store the secret in the clear', async () => {
    const key = await keys.loadOrCreate('freshness', async () => makeKey('a'));
    const row = await database.db.selectFrom('server_key').select('sealed').executeTakeFirstOrThrow();
    expect(Buffer.from(row.sealed).includes(Buffer.from(key.secret))).toBe(false);
  });

  it('refuses a secret that was put under another name', async () => {
    await keys.add('freshness', makeKey('a'));
    await database.db.updateTable('server_key').set({ id: 'b' }).execute();
    await expect(keys.list('freshness')).rejects.toMatchObject({ code: 'SEALED_VALUE_TAMPERED' });
  });
});
