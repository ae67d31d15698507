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
  const change = async (path: ResourcePath, write: (transaction: Db) => Promise<void>): Promise<void> => {
    await db.transaction().execute(async (transaction) => {
      await write(transaction);
      await changes.announce(transaction, 'resource');
    });
    cache.forget([path]);
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
        await transaction
          .insertInto('resource')
          .values({ path, ...row })
          .onConflict((conflict) => conflict.column('path').doUpdateSet(row))
          .execute();
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
      let isDeleted = false;
      await change(path, async (transaction) => {
        const { numDeletedRows } = await transaction
          .deleteFrom('resource')
          .where('path', '=', path)
          .executeTakeFirstOrThrow();
        isDeleted = numDeletedRows > 0n;
      });
      return isDeleted;
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

/** Sealed to its path: a row that is copied over another does not open. */
function contextOf(path: ResourcePath): string {
  return `resource ${path}`;
}
