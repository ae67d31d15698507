import { LRUCache } from 'lru-cache';
import type { Changes, ChangeTopic } from './changes.ts';

export interface RowCacheOptions<Row> {
  readonly topic: ChangeTopic;
  /** Most bytes that the rows may take, by `sizeOf`. */
  readonly maxBytes: number;
  readonly sizeOf: (row: Row) => number;
}

/** Rows that this replica keeps until any row of their topic changes. */
export interface RowCache<Row> {
  /** The row of the key, from memory or by `load`. That there is none is remembered for a second. */
  find(key: string, load: () => Promise<Row | undefined>): Promise<Row | undefined>;
  /** For the writer itself, which does not wait for the news of its own change. Call it after the commit. */
  forget(keys: readonly string[]): void;
}

/** What a key costs beside its row, roughly. */
const ENTRY_BYTES = 200;
/** A row that was not there may be written on a replica whose news we miss; ask again soon. */
const ABSENT_MILLISECONDS = 1000;
const ABSENT = Symbol('absent');

/** A bounded cache in front of a table, emptied by the change feed: what another replica writes is seen within a second. */
export function createRowCache<Row extends object>(
  changes: Changes,
  { topic, maxBytes, sizeOf }: RowCacheOptions<Row>,
): RowCache<Row> {
  const cache = new LRUCache<string, Row | typeof ABSENT>({
    maxSize: maxBytes,
    sizeCalculation: (row, key) => ENTRY_BYTES + key.length + (row === ABSENT ? 0 : sizeOf(row)),
  });
  let changesSeen = 0;
  changes.on(topic, () => {
    changesSeen++;
    cache.clear();
  });
  return {
    async find(key, load) {
      const cached = cache.get(key);
      if (cached !== undefined) return cached === ABSENT ? undefined : cached;
      const before = changesSeen;
      const row = await load();
      // What was read before a change must not be kept after the news of it has passed.
      if (before !== changesSeen) return row;
      if (row === undefined) cache.set(key, ABSENT, { ttl: ABSENT_MILLISECONDS });
      else cache.set(key, row);
      return row;
    },
    forget(keys) {
      changesSeen++;
      for (const key of keys) cache.delete(key);
    },
  };
}
