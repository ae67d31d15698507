import { sql } from 'kysely';
import type { Db } from './database.ts';

/** What only one process of all may do at a time. */
export type LockName = 'data-key' | 'server-key';

/** Waits for the lock and keeps it until the transaction ends. */
export async function lockInTransaction(transaction: Db, name: LockName): Promise<void> {
  await sql`select pg_advisory_xact_lock(hashtextextended(${`verigo ${name}`}, 0))`.execute(transaction);
}
