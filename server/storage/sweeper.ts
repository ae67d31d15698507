import { sql } from 'kysely';
import type { Clock } from '../clock.ts';
import type { Db } from './database.ts';

export interface SweeperOptions {
  readonly db: Db;
  readonly clock: Clock;
  readonly intervalMs?: number;
  /** Rows deleted in one statement. */
  readonly batchSize?: number;
  readonly report: (error: unknown) => void;
}

export interface Sweeper {
  /** Sweeps at intervals; returns at once. */
  start(): void;
  stop(): Promise<void>;
  /** Deletes everything that is expired now; how many rows that were. */
  sweep(): Promise<number>;
}

/**
 * Rows stay this long after they expire: a replica whose clock is behind may still take a nonce for fresh, and must
 * find it spent.
 */
const CLOCK_SKEW_MS = 10 * 60 * 1000;
const SWEPT_TABLES = ['spent_nonce', 'kbs_session'] as const;
const KEY_COLUMNS = { spent_nonce: 'hash', kbs_session: 'id_hash' } as const;

/**
 * Deletes expired nonces and sessions, found by index and a few at a time, so that it never holds many rows. Replicas
 * may sweep at once: each passes over the rows that another has in hand.
 */
export function createSweeper(options: SweeperOptions): Sweeper {
  const { db, clock, intervalMs = 60_000, batchSize = 1_000, report } = options;
  let isStopped = false;
  let timer: NodeJS.Timeout | undefined;
  let sweeping: Promise<void> = Promise.resolve();

  const sweepTable = async (table: (typeof SWEPT_TABLES)[number], before: Date): Promise<number> => {
    const key = sql.ref(KEY_COLUMNS[table]);
    let total = 0;
    for (let deleted = batchSize; deleted === batchSize && !isStopped; total += deleted) {
      const result = await sql`delete from ${sql.table(table)} where ${key} in (
        select ${key} from ${sql.table(table)} where expires_at < ${before}
        order by expires_at limit ${batchSize} for update skip locked)`.execute(db);
      deleted = Number(result.numAffectedRows ?? 0n);
    }
    return total;
  };
  const sweep = async (): Promise<number> => {
    const before = new Date(clock().getTime() - CLOCK_SKEW_MS);
    let total = 0;
    for (const table of SWEPT_TABLES) total += await sweepTable(table, before);
    return total;
  };
  const sweepForever = (): void => {
    timer = setTimeout(() => {
      sweeping = sweep()
        .catch(report)
        .then(() => {
          if (!isStopped) sweepForever();
        });
    }, intervalMs);
    timer.unref();
  };

  return {
    start: sweepForever,
    async stop() {
      isStopped = true;
      clearTimeout(timer);
      await sweeping;
    },
    sweep,
  };
}
