import type { JsonObject } from '../claims/claims.ts';
import type { Clock } from '../clock.ts';
import { lockInTransaction } from './advisory-lock.ts';
import type { AtRest } from './at-rest.ts';
import type { Changes } from './changes.ts';
import type { Db } from './database.ts';

type ServerKeyPurpose = 'token-signing' | 'freshness';

/** A new key: `id` is unique among all keys, e.g. a JWK thumbprint; `secret` is sealed before it is stored. */
export interface NewServerKey {
  readonly id: string;
  readonly secret: Uint8Array;
  /** The public half, as others fetch it; undefined for a symmetric key. */
  readonly publicJwk: JsonObject | undefined;
}

interface ServerKey extends NewServerKey {
  readonly createdAt: Date;
}

/** Keys that all replicas share. Each write is announced as `server-key`. */
export interface ServerKeys {
  /** The newest key of the purpose, made if there is none. Processes that ask at once get the same. */
  loadOrCreate(purpose: ServerKeyPurpose, make: () => Promise<NewServerKey>): Promise<ServerKey>;
  /** Rotation: a key that becomes the newest. Those before it stay, to be accepted. */
  add(purpose: ServerKeyPurpose, key: NewServerKey): Promise<ServerKey>;
  /** Newest first. Throws SealedValueError where a row was tampered with. */
  list(purpose: ServerKeyPurpose): Promise<readonly ServerKey[]>;
  /** Forgets a key: what was made with it is no longer accepted anywhere. */
  remove(purpose: ServerKeyPurpose, id: string): Promise<boolean>;
}

export interface ServerKeysOptions {
  readonly db: Db;
  readonly atRest: AtRest;
  readonly changes: Pick<Changes, 'announce'>;
  readonly clock: Clock;
}

export function createServerKeys(options: ServerKeysOptions): ServerKeys {
  const { db, atRest, changes } = options;
  return {
    async loadOrCreate(purpose, make) {
      return await db.transaction().execute(async (transaction) => {
        await lockInTransaction(transaction, 'server-key');
        const [newest] = await listKeys(transaction, atRest, purpose);
        return newest ?? (await insertKey(transaction, options, purpose, await make()));
      });
    },
    async add(purpose, key) {
      return await db
        .transaction()
        .execute(async (transaction) => await insertKey(transaction, options, purpose, key));
    },
    list: async (purpose) => await listKeys(db, atRest, purpose),
    async remove(purpose, id) {
      return await db.transaction().execute(async (transaction) => {
        const deleted = await transaction
          .deleteFrom('server_key')
          .where('purpose', '=', purpose)
          .where('id', '=', id)
          .executeTakeFirst();
        await changes.announce(transaction, 'server-key');
        return deleted.numDeletedRows > 0n;
      });
    },
  };
}

async function listKeys(db: Db, atRest: AtRest, purpose: ServerKeyPurpose): Promise<readonly ServerKey[]> {
  const rows = await db
    .selectFrom('server_key')
    .selectAll()
    .where('purpose', '=', purpose)
    .orderBy('created_at', 'desc')
    .orderBy('id')
    .execute();
  return await Promise.all(
    rows.map(async (row) => ({
      id: row.id,
      secret: await atRest.open(row.sealed, contextOf(purpose, row.id)),
      publicJwk: row.public_jwk ?? undefined,
      createdAt: row.created_at,
    })),
  );
}

async function insertKey(
  transaction: Db,
  { atRest, changes, clock }: ServerKeysOptions,
  purpose: ServerKeyPurpose,
  key: NewServerKey,
): Promise<ServerKey> {
  const createdAt = clock();
  await transaction
    .insertInto('server_key')
    .values({
      id: key.id,
      purpose,
      sealed: await atRest.seal(key.secret, contextOf(purpose, key.id)),
      public_jwk: key.publicJwk === undefined ? null : JSON.stringify(key.publicJwk),
      created_at: createdAt,
    })
    .execute();
  await changes.announce(transaction, 'server-key');
  return { ...key, createdAt };
}

function contextOf(purpose: ServerKeyPurpose, id: string): string {
  return `server_key/${purpose}/${id}`;
}
