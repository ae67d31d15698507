import { createSecretKey, type KeyObject, randomBytes, randomUUID } from 'node:crypto';
import type { Clock } from '../clock.ts';
import { lockInTransaction } from './advisory-lock.ts';
import type { Db } from './database.ts';
import { type MasterKey, MasterKeyError } from './master-key.ts';
import { decrypt, encrypt } from './sealed-value.ts';

/** Encrypts values. Lies in the database wrapped by the master key. */
export interface DataKey {
  /** UUID, lower case. */
  readonly id: string;
  readonly key: KeyObject;
  readonly createdAt: Date;
}

export interface DataKeyRepository {
  /** Every data key, oldest first. Throws MasterKeyError MASTER_KEY_WRONG, SealedValueError. */
  list(): Promise<readonly DataKey[]>;
  find(id: string): Promise<DataKey | undefined>;
  /** The newest key that is younger than `maxAgeMs`, made if there is none. Processes that ask at once get the same. */
  newestOrCreate(maxAgeMs: number): Promise<DataKey>;
}

export function createDataKeyRepository(db: Db, masterKey: MasterKey, clock: Clock): DataKeyRepository {
  const list = async (from: Db): Promise<readonly DataKey[]> => {
    const rows = await from.selectFrom('data_key').selectAll().orderBy('created_at').orderBy('id').execute();
    return rows.map((row) => unwrap(row, masterKey));
  };
  return {
    list: async () => await list(db),
    async find(id) {
      const row = await db.selectFrom('data_key').selectAll().where('id', '=', id).executeTakeFirst();
      return row === undefined ? undefined : unwrap(row, masterKey);
    },
    async newestOrCreate(maxAgeMs) {
      return await db.transaction().execute(async (transaction) => {
        await lockInTransaction(transaction, 'data-key');
        const at = clock();
        const newest = (await list(transaction)).at(-1);
        if (newest !== undefined && at.getTime() - newest.createdAt.getTime() < maxAgeMs) return newest;
        return await create(transaction, masterKey, at);
      });
    },
  };
}

async function create(transaction: Db, masterKey: MasterKey, at: Date): Promise<DataKey> {
  const id = randomUUID();
  const bytes = randomBytes(32);
  await transaction
    .insertInto('data_key')
    .values({
      id,
      master_key_id: masterKey.id,
      wrapped: encrypt(masterKey.key, bytes, contextOf(id)),
      created_at: at,
    })
    .execute();
  return { id, key: createSecretKey(bytes), createdAt: at };
}

interface DataKeyRow {
  readonly id: string;
  readonly master_key_id: string;
  readonly wrapped: Uint8Array;
  readonly created_at: Date;
}

function unwrap(row: DataKeyRow, masterKey: MasterKey): DataKey {
  if (row.master_key_id !== masterKey.id) {
    throw new MasterKeyError(
      'MASTER_KEY_WRONG',
      `expected master key ${row.master_key_id}, with which this database was sealed, got ${masterKey.id}`,
    );
  }
  const bytes = decrypt(masterKey.key, row.wrapped, contextOf(row.id));
  return { id: row.id, key: createSecretKey(bytes), createdAt: row.created_at };
}

function contextOf(id: string): string {
  return `verigo data key ${id}`;
}
