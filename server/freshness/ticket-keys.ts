import { createSecretKey, randomBytes } from 'node:crypto';
import { toHex } from '../bytes/encoding.ts';
import type { Changes } from '../storage/changes.ts';
import type { ServerKeys } from '../storage/server-key-repository.ts';
import type { TicketKeys } from './ticket.ts';

/**
 * The keys that authenticate nonces and handshakes: the same on every replica, made by the first one, loaded again when
 * they change. `report` hears of a reload that failed; the keys of before stay in use then.
 */
export async function loadTicketKeys(
  serverKeys: Pick<ServerKeys, 'loadOrCreate' | 'list'>,
  changes: Pick<Changes, 'on'>,
  report: (error: unknown) => void,
): Promise<() => TicketKeys> {
  let keys: TicketKeys | undefined;
  // Listening comes first: a rotation between the two would be missed.
  changes.on('server-key', () => {
    load(serverKeys).then((loaded) => {
      keys = loaded;
    }, report);
  });
  const first = await load(serverKeys);
  return () => keys ?? first;
}

async function load(serverKeys: Pick<ServerKeys, 'loadOrCreate' | 'list'>): Promise<TicketKeys> {
  const newest = await serverKeys.loadOrCreate('freshness', async () => ({
    id: `freshness-${toHex(randomBytes(8))}`,
    secret: randomBytes(32),
    publicJwk: undefined,
  }));
  const others = (await serverKeys.list('freshness')).filter(({ id }) => id !== newest.id);
  return [createSecretKey(newest.secret), ...others.map(({ secret }) => createSecretKey(secret))];
}
