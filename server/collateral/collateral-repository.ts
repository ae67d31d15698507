import type { Changes } from '../storage/changes.ts';
import type { Db } from '../storage/database.ts';
import { createRowCache } from '../storage/row-cache.ts';
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

/** Chip certificates of 2 KiB for 8,000 machines. */
const MAX_CACHED_BYTES = 16 << 20;

/** Collateral in the database, with a bounded cache in front that forgets all on any change. */
export function createCollateralRepository(db: Db, changes: Changes, now: () => Date): CollateralRepository {
  const cache = createRowCache<Collateral>(changes, {
    topic: 'collateral',
    maxBytes: MAX_CACHED_BYTES,
    sizeOf: ({ body }) => body.byteLength,
  });
  async function putAll(items: readonly Collateral[]): Promise<void> {
    await db.transaction().execute(async (transaction) => {
      for (const item of items) await upsert(transaction, item, now());
      await changes.announce(transaction, 'collateral');
    });
    cache.forget(items.map(({ kind, key }) => `${kind} ${key}`));
  }

  return {
    find: async (kind, key) => await cache.find(`${kind} ${key}`, async () => await select(db, kind, key)),
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
