import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { dirname } from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import type { UnixAddress } from '../../agent/rpc/address.ts';
import { createRpcClient, type RpcClient, type RpcTransport } from '../../agent/rpc/client.ts';
import { GetResourceService } from '../../agent/rpc/gen/confidential_data_hub_pb.ts';
import { startTtrpcServer, type TtrpcServer } from '../../agent/rpc/ttrpc/ttrpc-server.ts';
import { createTtrpcTransport } from '../../agent/rpc/ttrpc/ttrpc-transport.ts';
import { type RawFrame, rawPeer } from './raw-ttrpc.ts';
import { nothingSeen, resourceService, type Seen, socketFolder } from './resource-service.ts';

export interface ClientUnderTest {
  readonly address: UnixAddress;
  readonly transport: RpcTransport;
  readonly client: RpcClient<typeof GetResourceService>;
  /** The resource, as hex. */
  ask(path: string): Promise<string>;
  /** Our own server. */
  serve(seen?: Seen): Promise<TtrpcServer>;
  /** A server made of bytes: what it answers to each frame. */
  serveRaw(answer: (frame: RawFrame, socket: Socket) => void): Promise<void>;
}

/** A client of a resource service for each test of a file, to a socket on which the test serves. */
export function useTtrpcClient(): ClientUnderTest {
  const closers: (() => Promise<void>)[] = [];
  let place: Awaited<ReturnType<typeof socketFolder>>;
  let transport: RpcTransport;
  let client: RpcClient<typeof GetResourceService>;

  beforeEach(async () => {
    place = await socketFolder();
    transport = createTtrpcTransport(place.address, { stallMilliseconds: 200, maxBytes: 8 << 20 });
    client = createRpcClient(GetResourceService, transport, 5_000);
  });

  afterEach(async () => {
    transport.close();
    for (const close of closers.splice(0)) await close();
    await place.remove();
  });

  return {
    get address() {
      return place.address;
    },
    get transport() {
      return transport;
    },
    get client() {
      return client;
    },
    async ask(path) {
      return Buffer.from((await client.getResource({ resourcePath: path })).resource).toString('hex');
    },
    async serve(seen = nothingSeen()) {
      const server = await startTtrpcServer({
        address: place.address,
        services: [resourceService(seen)],
        log: () => undefined,
      });
      closers.push(async () => {
        await server.close(0);
      });
      return server;
    },
    async serveRaw(answer) {
      await mkdir(dirname(place.address.path), { recursive: true });
      const server = createServer((socket) => {
        closers.push(async () => {
          socket.destroy();
        });
        const peer = rawPeer(socket);
        void (async () => {
          for (let frame = await peer.frame(); frame !== undefined; frame = await peer.frame()) {
            answer(frame, socket);
          }
        })();
      }).listen(place.address.path);
      await once(server, 'listening');
      closers.push(async () => {
        server.close();
      });
    },
  };
}
