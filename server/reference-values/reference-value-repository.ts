import type { JsonObject } from '../claims/claims.ts';
import type { Changes } from '../storage/changes.ts';
import type { Db } from '../storage/database.ts';
import type { ReferenceValue, StoredReferenceValue } from './reference-value.ts';

export interface ReferenceValueRepository {
  /** Creates or replaces. */
  set(value: ReferenceValue, author: string, at: Date): Promise<void>;
  /** Undefined also when it has expired. */
  find(name: string, at: Date): Promise<StoredReferenceValue | undefined>;
  /** Those that are there, by name, expired or not: whoever asks goes by `expiresAt`. */
  findMany(names: readonly string[]): Promise<ReadonlyMap<string, ReferenceValue>>;
  /** By name, those after `after`; expired ones too, so that an operator sees them. */
  list(page: {
    readonly after: string | undefined;
    readonly limit: number;
  }): Promise<readonly StoredReferenceValue[]>;
  /** Whether there was one. */
  delete(name: string): Promise<boolean>;
}

interface Row {
  readonly name: string;
  readonly value: JsonObject;
  readonly expires_at: Date | null;
  readonly author: string;
  readonly updated_at: Date;
}

export function createReferenceValueRepository(
  db: Db,
  changes: Pick<Changes, 'announce'>,
): ReferenceValueRepository {
  return {
    async set({ name, value, expiresAt }, author, at) {
      const row = {
        value: JSON.stringify({ value }),
        expires_at: expiresAt ?? null,
        author,
        updated_at: at,
      };
      await db.transaction().execute(async (transaction) => {
        await transaction
          .insertInto('reference_value')
          .values({ name, ...row })
          .onConflict((conflict) => conflict.column('name').doUpdateSet(row))
          .execute();
        await changes.announce(transaction, 'reference-value');
      });
    },
    async find(name, at) {
      const row = await db
        .selectFrom('reference_value')
        .selectAll()
        .where('name', '=', name)
        .where((eb) => eb.or([eb('expires_at', 'is', null), eb('expires_at', '>', at)]))
        .executeTakeFirst();
      return row === undefined ? undefined : toReferenceValue(row);
    },
    async findMany(names) {
      if (names.length === 0) return new Map();
      const rows = await db.selectFrom('reference_value').selectAll().where('name', 'in', names).execute();
      return new Map(rows.map((row) => [row.name, toReferenceValue(row)]));
    },
    async list({ after, limit }) {
      let query = db.selectFrom('reference_value').selectAll().orderBy('name').limit(limit);
      if (after !== undefined) query = query.where('name', '>', after);
      return (await query.execute()).map(toReferenceValue);
    },
    async delete(name) {
      return await db.transaction().execute(async (transaction) => {
        const { numDeletedRows } = await transaction
          .deleteFrom('reference_value')
          .where('name', '=', name)
          .executeTakeFirst();
        if (numDeletedRows > 0n) await changes.announce(transaction, 'reference-value');
        return numDeletedRows > 0n;
      });
    },
  };
}

function toReferenceValue(row: Row): StoredReferenceValue {
  return {
    name: row.name,
    value: row.value['value'] ?? null,
    expiresAt: row.expires_at ?? undefined,
    author: row.author,
    updatedAt: row.updated_at,
  };
}
