import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { concatBytes } from '../../server/bytes/byte-strings.ts';
import { toUtf8 } from '../../server/bytes/encoding.ts';
import { AddressError, isLoopback, type TcpAddress } from '../rpc/address.ts';
import type { FailureLog } from '../rpc/service.ts';
import { refusalOf } from './refusal.ts';
import { createGuard, type GuardOptions } from './request-guard.ts';
import { parseTarget } from './request-target.ts';
import { RestError } from './rest-error.ts';
import type { RestFront } from './rest-front.ts';
import type { RestReply } from './route.ts';

export interface RestServerOptions {
  /** Port 0 takes a free one. */
  readonly address: TcpAddress;
  readonly front: RestFront;
  readonly guard: GuardOptions;
  readonly log: FailureLog;
  readonly limits?: Partial<RestLimits>;
}

export interface RestLimits {
  readonly connections: number;
  readonly requestsInFlight: number;
  readonly bodyBytes: number;
}

export interface RestServer {
  readonly port: number;
  close(graceMilliseconds: number): Promise<void>;
}

const DEFAULT_LIMITS: RestLimits = { connections: 128, requestsInFlight: 64, bodyBytes: 1 << 20 };
const TIMEOUTS = {
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  connectionsCheckingInterval: 5_000,
  keepAliveTimeout: 5_000,
  maxHeaderSize: 16_384,
};

/**
 * Serves the front over HTTP/1.1, plaintext. By `node:http` and not by fastify, which costs a guest 40 ms of its start for
 * seven paths. Beyond loopback only with an access token. Throws AddressError ADDRESS_NOT_LOOPBACK, ADDRESS_UNAVAILABLE.
 */
export async function startRestServer(options: RestServerOptions): Promise<RestServer> {
  const { address, guard } = options;
  if (!isLoopback(address) && guard.accessToken === undefined) {
    throw new AddressError(
      'ADDRESS_NOT_LOOPBACK',
      'expected a loopback address to listen at, or an access token, got neither',
    );
  }
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const server = createServer(TIMEOUTS, createListener(options, limits));
  server.maxConnections = limits.connections;
  await listen(server, address);
  server.on('error', (error) => {
    options.log('accept', error);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: async (graceMilliseconds) => {
      await close(server, graceMilliseconds);
    },
  };
}

function createListener({ front, guard, log }: RestServerOptions, limits: RestLimits) {
  const check = createGuard(guard);
  let inFlight = 0;

  async function answer(request: IncomingMessage, signal: AbortSignal): Promise<RestReply> {
    check(request);
    if (inFlight > limits.requestsInFlight) {
      throw new RestError(
        'OVERLOADED',
        `expected at most ${limits.requestsInFlight} requests at once, got more`,
      );
    }
    const { method = '', url = '' } = request;
    const readBody = async (): Promise<Uint8Array> => await readBounded(request, limits.bodyBytes);
    return await front({ ...parseTarget(url), method, signal, readBody });
  }

  return (request: IncomingMessage, response: ServerResponse): void => {
    inFlight++;
    const controller = new AbortController();
    response.once('close', () => {
      inFlight--;
      controller.abort();
    });
    answer(request, controller.signal).then(
      ({ contentType, body }) => {
        send(response, 200, { 'content-type': contentType }, body);
      },
      (error: unknown) => {
        const { status, words, code, headers } = refusalOf(error);
        if (status >= 500 && !controller.signal.aborted) log(`${request.method ?? ''} ${status}`, error);
        // What it still sends is not waited for.
        const connection = request.complete ? {} : { connection: 'close' };
        send(
          response,
          status,
          { 'content-type': 'text/plain', 'verigo-code': code, ...connection, ...headers },
          toUtf8(words),
        );
      },
    );
  };
}

function send(
  response: ServerResponse,
  status: number,
  headers: Readonly<Record<string, string>>,
  body: Uint8Array,
): void {
  // What is said here are secrets, and nothing of it is to be kept or to be shown as a page.
  response.writeHead(status, {
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'content-length': String(body.byteLength),
    ...headers,
  });
  response.end(body);
}

async function readBounded(request: IncomingMessage, limit: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Uint8Array>) {
    length += chunk.byteLength;
    if (length > limit) {
      throw new RestError('BODY_TOO_LARGE', `expected a body of at most ${limit} bytes, got more`);
    }
    chunks.push(chunk);
  }
  return concatBytes(...chunks);
}

async function listen(server: Server, { host, port }: TcpAddress): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => {
      reject(
        new AddressError('ADDRESS_UNAVAILABLE', `expected to listen at port ${port}, could not`, { cause }),
      );
    });
    server.listen({ host, port }, resolve);
  });
}

async function close(server: Server, graceMilliseconds: number): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(() => {
      server.closeAllConnections();
    }, graceMilliseconds);
    server.close(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}
