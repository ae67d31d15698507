import { LRUCache } from 'lru-cache';
import type { Changes } from '../storage/changes.ts';
import type { Db } from '../storage/database.ts';
import type { Collateral, CollateralKind, CollateralStore } from './collateral.ts';

/** What an operator sees of a piece of collateral. */
export interface CollateralSummary {
  readonly kind: CollateralKind;
  readonly key: string;
  readonly expiresAt: Date | undefined;
  readonly source: Collateral['source'];
  readonly storedAt: Date;
  /** Bytes. */
  readonly size: number;
}

export interface CollateralRepository extends CollateralStore {
  /** All or none. */
  putAll(collateral: readonly Collateral[]): Promise<void>;
  list(): Promise<readonly CollateralSummary[]>;
  exportAll(): Promise<readonly Collateral[]>;
}

/** Some 2 KiB each. */
const MAX_CACHED = 8192;
/** A key that was not there may be imported on a replica whose news we miss; ask again soon. */
const ABSENT_MILLISECONDS = 1000;
const ABSENT = Symbol('absent');

/** Collateral in the database, with a bounded cache in front that forgets all on any change. */
export function createCollateralRepository(db: Db, changes: Changes, now: () => Date): CollateralRepository {
  const cache = new LRUCache<string, Collateral | typeof ABSENT>({ max: MAX_CACHED });
  let changesSeen = 0;
  changes.on('collateral', () => {
    changesSeen++;
    cache.clear();
  });
  async function putAll(items: readonly Collateral[]): Promise<void> {
    await db.transaction().execute(async (transaction) => {
      for (const item of items) await upsert(transaction, item, now());
      await changes.announce(transaction, 'collateral');
    });
    changesSeen++;
    for (const { kind, key } of items) cache.delete(`${kind} ${key}`);
  }

  return {
    async find(kind, key) {
      const cacheKey = `${kind} ${key}`;
      const cached = cache.get(cacheKey);
      if (cached !== undefined) return cached === ABSENT ? undefined : cached;
      const before = changesSeen;
      const found = await select(db, kind, key);
      // What was read before a change must not be kept after the news of it has passed.
      if (before !== changesSeen) return found;
      if (found === undefined) cache.set(cacheKey, ABSENT, { ttl: ABSENT_MILLISECONDS });
      else cache.set(cacheKey, found);
      return found;
    },
    put: async (collateral) => {
      await putAll([collateral]);
    },
    putAll,
    async list() {
      const rows = await db
        .selectFrom('collateral')
        .select(['kind', 'key', 'expires_at', 'source', 'stored_at'])
        .select((eb) => eb.fn<number>('length', ['body']).as('size'))
        .orderBy('kind')
        .orderBy('key')
        .execute();
      return rows.map((row) => ({
        kind: row.kind as CollateralKind,
        key: row.key,
        expiresAt: row.expires_at ?? undefined,
        source: row.source,
        storedAt: row.stored_at,
        size: row.size,
      }));
    },
    async exportAll() {
      const rows = await db.selectFrom('collateral').selectAll().orderBy('kind').orderBy('key').execute();
      return rows.map(toCollateral);
    },
  };
}

async function select(db: Db, kind: CollateralKind, key: string): Promise<Collateral | undefined> {
  const row = await db
    .selectFrom('collateral')
    .selectAll()
    .where('kind', '=', kind)
    .where('key', '=', key)
    .executeTakeFirst();
  return row === undefined ? undefined : toCollateral(row);
}

/** What an operator imported stays, unless what is fetched later is also valid for longer. */
async function upsert(db: Db, collateral: Collateral, storedAt: Date): Promise<void> {
  const { kind, key, source } = collateral;
  const values = {
    body: collateral.body,
    expires_at: collateral.expiresAt ?? null,
    source,
    stored_at: storedAt,
  };
  await db
    .insertInto('collateral')
    .values({ kind, key, ...values })
    .onConflict((conflict) =>
      conflict
        .columns(['kind', 'key'])
        .doUpdateSet(values)
        .where((eb) =>
          eb.or([
            eb('excluded.source', '=', 'imported'),
            eb('collateral.source', '=', 'fetched'),
            eb('excluded.expires_at', '>', eb.ref('collateral.expires_at')),
          ]),
        ),
    )
    .execute();
}

function toCollateral(row: {
  readonly kind: string;
  readonly key: string;
  readonly body: Uint8Array;
  readonly expires_at: Date | null;
  readonly source: Collateral['source'];
}): Collateral {
  return {
    kind: row.kind as CollateralKind,
    key: row.key,
    body: row.body,
    expiresAt: row.expires_at ?? undefined,
    source: row.source,
  };
}
