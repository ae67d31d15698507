import { createServer, type Server } from 'node:net';
import type { UnixAddress } from '../address.ts';
import type { FailureLog, RpcService } from '../service.ts';
import { ByteBudget } from './byte-budget.ts';
import { type ConnectionShare, ServerConnection } from './server-connection.ts';
import { listenAbstract, listenAt, prepareSocketFile } from './socket-file.ts';

export interface TtrpcServerOptions {
  readonly address: UnixAddress;
  readonly services: readonly RpcService[];
  readonly log: FailureLog;
  /**
   * Mode of the socket file. It decides who may call, and nothing else does: Node does not tell us the user at the other
   * end (SO_PEERCRED), and upstream's protocol has no authentication.
   */
  readonly socketMode?: number;
  readonly limits?: Partial<TtrpcLimits>;
}

export interface TtrpcLimits {
  /** One more is closed as it comes. */
  readonly connections: number;
  /** On one connection; what comes beyond waits in its socket. */
  readonly requestsInFlight: number;
  /** Requests and unsent answers of all connections together; what comes beyond is RESOURCE_EXHAUSTED. */
  readonly bytes: number;
  /** For how long a frame may stay half, or an answer unread. */
  readonly stallMilliseconds: number;
}

const DEFAULT_LIMITS: TtrpcLimits = {
  connections: 64,
  requestsInFlight: 128,
  bytes: 32 << 20,
  stallMilliseconds: 30_000,
};
const OWNER_ONLY = 0o600;

export interface TtrpcServer {
  /**
   * Takes no new connections and removes the socket file, answers what is in flight for up to `graceMilliseconds`, then
   * aborts the rest.
   */
  close(graceMilliseconds: number): Promise<void>;
}

/** Serves over ttrpc. Throws SocketError, and what the file system answers. */
export async function startTtrpcServer(options: TtrpcServerOptions): Promise<TtrpcServer> {
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const share: ConnectionShare = {
    services: new Map(options.services.map((service) => [service.typeName, service])),
    log: options.log,
    budget: new ByteBudget(limits.bytes),
    maxRequestsInFlight: limits.requestsInFlight,
    stallMilliseconds: limits.stallMilliseconds,
  };
  const connections = new Set<ServerConnection>();
  // Half open, since one who has ended its half may still wait for answers.
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    const connection = new ServerConnection(socket, share, () => {
      connections.delete(connection);
    });
    connections.add(connection);
  });
  server.maxConnections = limits.connections;
  await listen(server, options.address, options.socketMode ?? OWNER_ONLY);
  server.on('error', (error) => {
    options.log('accept', error); // out of file descriptors, say; those who are connected are served on
  });
  return {
    close: async (graceMilliseconds) => {
      await close(server, connections, graceMilliseconds);
    },
  };
}

async function listen(server: Server, address: UnixAddress, mode: number): Promise<void> {
  if (address.isAbstract) {
    await listenAbstract(server, address.path);
    return;
  }
  await prepareSocketFile(address.path);
  await listenAt(server, address.path, mode);
}

async function close(
  server: Server,
  connections: ReadonlySet<ServerConnection>,
  graceMilliseconds: number,
): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(() => {
      for (const connection of connections) connection.destroy();
    }, graceMilliseconds);
    // Removes the socket file at once; calls back when the last connection is closed, or when it was closed before.
    server.close(() => {
      clearTimeout(timer);
      resolve();
    });
    for (const connection of connections) connection.drain();
  });
}
