import { type Db } from './database.ts';

/** What replicas cache and therefore have to hear about. */
export type ChangeTopic = 'policy' | 'reference-value' | 'server-key' | 'collateral';

/** Tells every replica that something changed, within a second. */
export interface Changes {
  /** Called in the writer's own transaction, so that the news and the change arrive together. */
  announce(transaction: Db, topic: ChangeTopic): Promise<void>;
  /** The listener runs on every replica (the writer's too) after each change of the topic. */
  on(topic: ChangeTopic, listener: () => void): void;
}
