import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, expect } from 'vitest';
import type { UnixAddress } from '../../agent/rpc/address.ts';
import { startTtrpcServer, type TtrpcLimits, type TtrpcServer } from '../../agent/rpc/ttrpc/ttrpc-server.ts';
import { connectRaw, type RawPeer, rawFrame, resourceRequest, statusOf } from './raw-ttrpc.ts';
import { nothingSeen, resourceService, type Seen, socketFolder } from './resource-service.ts';

/** The codes of google.rpc that the server answers with of its own. */
export const STATUS = {
  OK: 0,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  INTERNAL: 13,
  UNAVAILABLE: 14,
} as const;

export interface ServerUnderTest {
  readonly address: UnixAddress;
  readonly server: TtrpcServer;
  readonly seen: Seen;
  /** Starts the server, and connects to it. */
  start(limits?: Partial<TtrpcLimits>): Promise<RawPeer>;
  /** A further connection. */
  peer(): Promise<RawPeer>;
}

/** A resource service on a socket of its own for each test of a file. Both are gone after it. */
export function useTtrpcServer(): ServerUnderTest {
  const peers: RawPeer[] = [];
  let place: Awaited<ReturnType<typeof socketFolder>>;
  let server: TtrpcServer | undefined;
  let seen: Seen;

  beforeEach(async () => {
    place = await socketFolder();
    seen = nothingSeen();
  });

  afterEach(async () => {
    for (const peer of peers.splice(0)) peer.socket.destroy();
    await server?.close(0);
    server = undefined;
    await place.remove();
  });

  async function peer(): Promise<RawPeer> {
    const made = await connectRaw(place.address.path);
    peers.push(made);
    return made;
  }

  return {
    get address() {
      return place.address;
    },
    get server() {
      return server!;
    },
    get seen() {
      return seen;
    },
    peer,
    async start(limits = {}) {
      server = await startTtrpcServer({
        address: place.address,
        services: [resourceService(seen)],
        log: (path, error) => seen.log.push({ path, error }),
        limits,
      });
      return await peer();
    },
  };
}

export function ask(raw: RawPeer, streamId: number, path: string, timeoutNano = 0n): void {
  raw.send(rawFrame(streamId, 1, resourceRequest(path, timeoutNano)));
}

export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await delay(5);
}

/** Whether the connection still works: every refusal but those that close it leaves it so. */
export async function expectAlive(raw: RawPeer, streamId = 1001): Promise<void> {
  ask(raw, streamId, 'size 1');
  const frame = await raw.frame();
  expect([frame?.streamId, statusOf(frame).code]).toEqual([streamId, STATUS.OK]);
}
