import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { CHANGE_CHANNEL } from './changes.ts';
import { clientConfig } from './connect.ts';

export interface ChangeListenerOptions {
  readonly url: string;
  readonly onChange: (topic: string, version: bigint) => void;
  /** The connection was lost and is back; what was announced meanwhile was not heard. */
  readonly onReconnect: () => void;
  readonly report: (error: unknown) => void;
}

export interface ChangeListener {
  start(): void;
  stop(): Promise<void>;
}

const SHORTEST_WAIT_MS = 100;
const LONGEST_WAIT_MS = 5_000;
const CONNECT_TIMEOUT_MS = 3_000;
const PAYLOAD = /^([a-z-]{1,64}) (\d{1,19})$/;

/** Keeps one connection of its own on LISTEN, and makes a new one, at growing intervals, when it breaks. */
export function createChangeListener(options: ChangeListenerOptions): ChangeListener {
  const closing = new AbortController();
  const isClosing = (): boolean => closing.signal.aborted;
  let current: pg.Client | undefined;
  let running: Promise<void> = Promise.resolve();

  const run = async (): Promise<void> => {
    let wait = SHORTEST_WAIT_MS;
    for (let isFirst = true; !isClosing(); isFirst = false) {
      try {
        const client = openClient(options);
        current = client;
        const ended = whenEnded(client);
        await client.connect();
        await client.query(`listen ${CHANGE_CHANNEL}`);
        wait = SHORTEST_WAIT_MS;
        if (!isFirst) options.onReconnect();
        await ended;
      } catch (error) {
        if (!isClosing()) options.report(error);
      }
      await delay(wait, undefined, { signal: closing.signal }).catch(() => undefined);
      wait = Math.min(wait * 2, LONGEST_WAIT_MS);
    }
  };

  return {
    start() {
      running = run();
    },
    async stop() {
      closing.abort();
      await current?.end().catch(() => undefined); // one that never connected has nothing to end
      await running;
    },
  };
}

function openClient({ url, onChange }: ChangeListenerOptions): pg.Client {
  const client = new pg.Client({ ...clientConfig(url), connectionTimeoutMillis: CONNECT_TIMEOUT_MS });
  client.on('notification', ({ payload = '' }) => {
    const [, topic, version] = PAYLOAD.exec(payload) ?? [];
    if (topic !== undefined && version !== undefined) onChange(topic, BigInt(version));
  });
  return client;
}

/** Resolves when the connection is over. Without a listener for `error` that would end the process. */
async function whenEnded(client: pg.Client): Promise<void> {
  await new Promise<void>((resolve) => {
    client.on('error', () => {
      resolve();
    });
    client.on('end', () => {
      resolve();
    });
  });
}
