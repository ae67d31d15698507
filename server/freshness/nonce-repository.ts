import { sql } from 'kysely';
import { toHex } from '../bytes/encoding.ts';
import type { Db } from '../storage/database.ts';
import { createGroupCommit, type GroupCommit } from '../storage/group-commit.ts';
import type { SpentNonce } from './nonce.ts';

const MAX_WAITING = 20_000;
const MAX_BATCH = 500;

/** Spends nonces, those of concurrent requests together. Resolves to whether the call was the first for its nonce. */
export function createNonceRepository(db: Db): GroupCommit<SpentNonce, boolean> {
  return createGroupCommit({
    write: async (nonces) => await spendAll(db, nonces),
    maxWaiting: MAX_WAITING,
    maxBatch: MAX_BATCH,
  });
}

async function spendAll(db: Db, nonces: readonly SpentNonce[]): Promise<readonly boolean[]> {
  const rows = nonces.map(({ hash, expiresAt }) => ({
    hash: toHex(hash),
    expires_at: expiresAt.toISOString(),
  }));
  // In one order on every replica: two that insert the same nonces in different orders would wait for each other.
  const sorted = rows.toSorted((left, right) => (left.hash < right.hash ? -1 : 1));
  // The unique key decides between replicas.
  const inserted = await sql<{ hash: Uint8Array }>`insert into spent_nonce (hash, expires_at)
    select decode(hash, 'hex'), expires_at
    from jsonb_to_recordset(${JSON.stringify(sorted)}::jsonb) as t (hash text, expires_at timestamptz)
    on conflict do nothing returning hash`.execute(db);
  const first = new Set(inserted.rows.map(({ hash }) => toHex(hash)));
  // Of two callers in one batch, only one is first: deleting tells them apart.
  return rows.map(({ hash }) => first.delete(hash));
}
