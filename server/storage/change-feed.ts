import { createChangeListener } from './change-listener.ts';
import { announceChange, type RunningChanges } from './changes.ts';
import type { Db } from './database.ts';
import { createTopicVersions, type TopicVersion } from './topic-versions.ts';

export interface ChangesOptions {
  readonly db: Db;
  /** Where the listening connection goes: past a pooler, straight to the server. */
  readonly url: string;
  /** Off for a database without LISTEN and NOTIFY; the news then takes up to `pollMs`. */
  readonly listen?: boolean;
  readonly pollMs?: number;
  /** Hears of what went wrong in the background and of a listener that threw. */
  readonly report: (error: unknown) => void;
}

/**
 * The change feed: LISTEN for speed, and behind it a poll of the version counters, which misses nothing. A listener
 * runs once for each version that is seen, however it came; changes that come together may be told as one. After the
 * database was out of reach everything counts as changed.
 */
export function createChanges(options: ChangesOptions): RunningChanges {
  const { db, url, listen = true, pollMs = 500, report } = options;
  const topics = createTopicVersions(report);
  let isStopped = false;
  let isBehind = false;
  let timer: NodeJS.Timeout | undefined;
  let polling: Promise<void> = Promise.resolve();

  const poll = async (): Promise<void> => {
    try {
      const versions = await readVersions(db);
      if (isBehind) topics.reset(versions);
      else for (const { topic, version } of versions) topics.advance(topic, version);
      isBehind = false;
    } catch (error) {
      isBehind = true;
      report(error);
    }
  };
  const pollForever = (): void => {
    timer = setTimeout(() => {
      polling = poll().then(() => {
        if (!isStopped) pollForever();
      });
    }, pollMs);
    timer.unref();
  };
  const listener = createChangeListener({
    url,
    onChange: topics.advance,
    onReconnect: () => {
      isBehind = true; // the next poll catches up
    },
    report,
  });

  return {
    announce: async (transaction, topic) => {
      await announceChange(transaction, topic, listen);
    },
    on: topics.on,
    start: async () => {
      topics.begin(await readVersions(db));
      if (listen) listener.start();
      pollForever();
    },
    stop: async () => {
      isStopped = true;
      clearTimeout(timer);
      await listener.stop();
      await polling;
    },
  };
}

async function readVersions(db: Db): Promise<readonly TopicVersion[]> {
  const rows = await db.selectFrom('change_topic').selectAll().execute();
  return rows.map(({ topic, version }) => ({ topic, version: BigInt(version) }));
}
