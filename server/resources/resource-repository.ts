import type { AtRest } from '../storage/at-rest.ts';
import type { Changes } from '../storage/changes.ts';
import type { Db } from '../storage/database.ts';
import { createRowCache } from '../storage/row-cache.ts';
import { ResourceError, type ResourcePath } from './resource-path.ts';

export interface ResourceSummary {
  readonly path: string;
  /** Bytes of the plaintext. */
  readonly size: number;
  readonly updatedAt: Date;
}

/** The secrets that the key broker releases. In the database they are sealed, each to its own path. */
export interface ResourceRepository {
  /** Creates or replaces. Throws ResourceError RESOURCE_TOO_LARGE. */
  put(path: ResourcePath, content: Uint8Array, at: Date): Promise<void>;
  find(path: ResourcePath): Promise<Uint8Array | undefined>;
  /** Whether there was one. */
  delete(path: ResourcePath): Promise<boolean>;
  /** In the order of their paths, those after `after`, `limit` at most; never their content. */
  list(page: {
    readonly after: string | undefined;
    readonly limit: number;
  }): Promise<readonly ResourceSummary[]>;
}

const DEFAULT_MAX_BYTES = 1_048_576;
const MAX_PAGE = 1000;
const MAX_CACHED_BYTES = 16 << 20;

/** Replicas keep resources in memory as the database has them: sealed. */
export function createResourceRepository(
  db: Db,
  atRest: AtRest,
  changes: Changes,
  { maxBytes = DEFAULT_MAX_BYTES }: { readonly maxBytes?: number } = {},
): ResourceRepository {
  const cache = createRowCache<{ readonly sealed: Uint8Array }>(changes, {
    topic: 'resource',
    maxBytes: MAX_CACHED_BYTES,
    sizeOf: ({ sealed }) => sealed.byteLength,
  });
  const change = async <T>(path: ResourcePath, write: (transaction: Db) => Promise<T>): Promise<T> => {
    const result = await db.transaction().execute(async (transaction) => {
      const written = await write(transaction);
      await changes.announce(transaction, 'resource');
      return written;
    });
    cache.forget([path]);
    return result;
  };
  return {
    async put(path, content, at) {
      if (content.byteLength > maxBytes) {
        throw new ResourceError(
          'RESOURCE_TOO_LARGE',
          `expected a resource of at most ${maxBytes} bytes, got ${content.byteLength}`,
        );
      }
      const row = {
        sealed: await atRest.seal(content, contextOf(path)),
        size: content.byteLength,
        updated_at: at,
      };
      await change(path, async (transaction) => {
        await upsert(transaction, { path, ...row });
      });
    },

    async find(path) {
      const row = await cache.find(
        path,
        async () =>
          await db.selectFrom('resource').select('sealed').where('path', '=', path).executeTakeFirst(),
      );
      return row && (await atRest.open(row.sealed, contextOf(path)));
    },

    async delete(path) {
      return await change(path, async (transaction) => await deleteRow(transaction, path));
    },

    async list({ after, limit }) {
      const rows = await db
        .selectFrom('resource')
        .select(['path', 'size', 'updated_at'])
        .$if(after !== undefined, (query) => query.where('path', '>', after ?? ''))
        .orderBy('path')
        .limit(Math.min(limit, MAX_PAGE))
        .execute();
      return rows.map(({ path, size, updated_at }) => ({ path, size, updatedAt: updated_at }));
    },
  };
}

async function upsert(
  db: Db,
  row: { path: string; sealed: Uint8Array; size: number; updated_at: Date },
): Promise<void> {
  await db
    .insertInto('resource')
    .values(row)
    .onConflict((conflict) => conflict.column('path').doUpdateSet(row))
    .execute();
}

/** Whether there was one. */
async function deleteRow(db: Db, path: string): Promise<boolean> {
  const { numDeletedRows } = await db
    .deleteFrom('resource')
    .where('path', '=', path)
    .executeTakeFirstOrThrow();
  return numDeletedRows > 0n;
}

/** Sealed to its path: a row that is copied over another does not open. */
function contextOf(path: ResourcePath): string {
  return `resource ${path}`;
}
