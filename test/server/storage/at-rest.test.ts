import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type AtRest, createAtRest } from '../../../server/storage/at-rest.ts';
import { parseMasterKey } from '../../../server/storage/master-key.ts';
import { createTestDatabase, type TestDatabase } from '../../fakes/test-database.ts';

const masterKey = parseMasterKey('11'.repeat(32));
const otherMasterKey = parseMasterKey('22'.repeat(32));
const start = new Date('2026-11-23T12:00:00Z');
const DAY_MS = 86_400_000;

let database: TestDatabase;
let now: Date;
const clock = () => now;

beforeEach(async () => {
  now = start;
  database = await createTestDatabase();
});
afterEach(async () => {
  await database.drop();
});

async function createHere(): Promise<AtRest> {
  return await createAtRest(database.db, masterKey, clock);
}

describe('createAtRest', () => {
  it('opens what it sealed, of any size', async () => {
    const atRest = await createHere();
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 5_000 }), fc.string(), async (plaintext, context) => {
        const sealed = await atRest.seal(plaintext, context);
        expect(sealed.byteLength).toBe(plaintext.byteLength + 45);
        expect(Buffer.from(await atRest.open(sealed, context))).toEqual(Buffer.from(plaintext));
      }),
    );
  });

  it('seals the same twice differently', async () => {
    const atRest = await createHere();
    const sealed = await Promise.all([1, 2].map(async () => await atRest.seal(Buffer.from('secret'), 'a')));
    expect(Buffer.from(sealed[0]!)).not.toEqual(Buffer.from(sealed[1]!));
  });

  it('refuses a sealed value with any one bit changed', async () => {
    const atRest = await createHere();
    const sealed = await atRest.seal(Buffer.from('secret'), 'a');
    for (let bit = 0; bit < sealed.byteLength * 8; bit++) {
      const changed = Uint8Array.from(sealed);
      changed[bit >> 3]! ^= 1 << (bit & 7);
      const code =
        bit < 8 ? 'SEALED_VALUE_MALFORMED' : bit < 17 * 8 ? 'DATA_KEY_UNKNOWN' : 'SEALED_VALUE_TAMPERED';
      await expect(atRest.open(changed, 'a')).rejects.toMatchObject({ code });
    }
  });

  it('refuses a value that was moved to another row', async () => {
    const atRest = await createHere();
    const sealed = await atRest.seal(Buffer.from('secret'), 'resource/default/key/1');
    await expect(atRest.open(sealed, 'resource/default/key/2')).rejects.toMatchObject({
      code: 'SEALED_VALUE_TAMPERED',
    });
  });

  it('refuses bytes that are no sealed value', async () => {
    const atRest = await createHere();
    const sealed = await atRest.seal(new Uint8Array(), 'a');
    for (let length = 0; length < sealed.byteLength; length++) {
      await expect(atRest.open(sealed.subarray(0, length), 'a')).rejects.toMatchObject({
        code: 'SEALED_VALUE_MALFORMED',
      });
    }
  });

  it('keeps its data key over a restart', async () => {
    const sealed = await (await createHere()).seal(Buffer.from('secret'), 'a');
    const restarted = await createHere();
    expect(Buffer.from(await restarted.open(sealed, 'a')).toString()).toBe('secret');
    expect(await database.db.selectFrom('data_key').select('id').execute()).toHaveLength(1);
  });

  it('makes one data key when replicas start at once', async () => {
    await Promise.all([1, 2, 3, 4].map(createHere));
    expect(await database.db.selectFrom('data_key').select('id').execute()).toHaveLength(1);
  });

  it('seals under a new data key each day, opens what older ones sealed, and what another replica sealed', async () => {
    const [here, there] = [await createHere(), await createHere()];
    const old = await here.seal(Buffer.from('old'), 'a');
    now = new Date(start.getTime() + DAY_MS);
    const fresh = await here.seal(Buffer.from('fresh'), 'a');
    expect(Buffer.from(fresh).subarray(0, 17)).not.toEqual(Buffer.from(old).subarray(0, 17));
    expect(await database.db.selectFrom('data_key').select('id').execute()).toHaveLength(2);
    expect(Buffer.from(await here.open(old, 'a')).toString()).toBe('old');
    expect(Buffer.from(await there.open(fresh, 'a')).toString()).toBe('fresh');
  });

  it('refuses to start with another master key, and names both', async () => {
    await createHere();
    await expect(createAtRest(database.db, otherMasterKey, clock)).rejects.toMatchObject({
      code: 'MASTER_KEY_WRONG',
      message: expect.stringMatching(`${masterKey.id}.*${otherMasterKey.id}`) as string,
    });
  });

  it('refuses to start when a wrapped data key was altered', async () => {
    await createHere();
    await database.db
      .updateTable('data_key')
      .set({ wrapped: Buffer.alloc(60) })
      .execute();
    await expect(createHere()).rejects.toMatchObject({ code: 'SEALED_VALUE_TAMPERED' });
  });
});
