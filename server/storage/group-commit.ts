import { CouldNotCheckError } from '../errors/could-not-check-error.ts';
import { storageUnavailable } from './storage-failure.ts';

/** Writes rows of many callers together. */
export interface GroupCommit<Row, Result> {
  /**
   * Resolves once the row is durable, with what became of it. Throws CouldNotCheckError: OVERLOADED when too many
   * rows wait, SHUTTING_DOWN after `close`, STORAGE_UNAVAILABLE when the write failed.
   */
  submit(row: Row): Promise<Result>;
  /** Takes no more rows and resolves once those that wait are written or have failed. */
  close(): Promise<void>;
}

export interface GroupCommitOptions<Row, Result> {
  /** Writes the rows in one transaction; gives a result for each, in their order. */
  readonly write: (rows: readonly Row[]) => Promise<readonly Result[]>;
  /** Most rows in one write. */
  readonly maxBatch: number;
  /** Most rows that wait for a write; one more is refused. */
  readonly maxWaiting: number;
}

interface Waiting<Row, Result> {
  readonly row: Row;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * One write is in flight at a time, and the rows that come meanwhile make up the next. An idle writer writes at once;
 * a busy one needs one commit for many callers, so its rate does not depend on how long the disk takes for one.
 */
export function createGroupCommit<Row, Result>(
  options: GroupCommitOptions<Row, Result>,
): GroupCommit<Row, Result> {
  const { write, maxBatch, maxWaiting } = options;
  let waiting: Waiting<Row, Result>[] = [];
  let running: Promise<void> | undefined;
  let isClosed = false;

  const drain = async (): Promise<void> => {
    await new Promise(setImmediate); // whatever else arrived in this turn of the event loop comes along
    while (waiting.length > 0) {
      const batch = waiting.slice(0, maxBatch);
      waiting = waiting.slice(maxBatch);
      await settle(batch, write);
    }
    running = undefined;
  };

  return {
    async submit(row) {
      if (isClosed) throw new CouldNotCheckError('SHUTTING_DOWN', 'this server is shutting down');
      if (waiting.length >= maxWaiting) {
        throw new CouldNotCheckError(
          'OVERLOADED',
          `expected at most ${maxWaiting} writes to wait for the database`,
        );
      }
      return await new Promise<Result>((resolve, reject) => {
        waiting.push({ row, resolve, reject });
        running ??= drain();
      });
    },
    async close() {
      isClosed = true;
      await running;
    },
  };
}

/**
 * Never throws: every outcome goes to the callers. When the database is there and refuses the rows, one of them is
 * at fault; written one by one, the others do not suffer for what an attacker put into it.
 */
async function settle<Row, Result>(
  batch: readonly Waiting<Row, Result>[],
  write: (rows: readonly Row[]) => Promise<readonly Result[]>,
): Promise<void> {
  try {
    const results = await write(batch.map(({ row }) => row));
    results.forEach((result, index) => batch[index]?.resolve(result));
    for (const { reject } of batch.slice(results.length)) reject(storageUnavailable(undefined, 'no result'));
  } catch (error) {
    if (error instanceof CouldNotCheckError) for (const { reject } of batch) reject(error);
    else if (batch.length === 1) batch[0]?.reject(storageUnavailable(error, 'row refused'));
    else for (const one of batch) await settle([one], write);
  }
}
