import { sql } from 'kysely';
import type { Db } from './database.ts';

/** What replicas cache and therefore have to hear about. */
export type ChangeTopic = 'policy' | 'reference-value' | 'server-key' | 'collateral' | 'resource';

/** Tells every replica that something changed, within a second. */
export interface Changes {
  /** Called in the writer's own transaction, so that the news and the change arrive together. */
  announce(transaction: Db, topic: ChangeTopic): Promise<void>;
  /** The listener runs on every replica (the writer's too) after each change of the topic. */
  on(topic: ChangeTopic, listener: () => void): void;
}

/** The channel of NOTIFY. The payload is `<topic> <version>`. */
export const CHANGE_CHANNEL = 'verigo_change';

/** How the news comes in; see change-feed.ts. */
export interface RunningChanges extends Changes {
  /** Register listeners first, start, then load what they guard: no change falls in between. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** Counts the change and, where the database knows NOTIFY, wakes the listeners when the transaction commits. */
export async function announceChange(transaction: Db, topic: ChangeTopic, notify: boolean): Promise<void> {
  const row = await transaction
    .insertInto('change_topic')
    .values({ topic, version: '1' })
    .onConflict((conflict) =>
      conflict.column('topic').doUpdateSet({ version: sql`change_topic.version + 1` }),
    )
    .returning('version')
    .executeTakeFirstOrThrow();
  if (notify)
    await sql`select pg_notify(${CHANGE_CHANNEL}, ${`${topic} ${row.version}`})`.execute(transaction);
}
