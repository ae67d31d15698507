import type { Server, ServerUnaryCall, sendUnaryData, status, UntypedHandleCall } from '@grpc/grpc-js';
import { asBuffer } from '../../server/bytes/byte-strings.ts';
import { AddressError, isLoopback, type TcpAddress } from './address.ts';
import { type Deadline, deadlineIn } from './deadline.ts';
import { loadGrpc, plainBytes } from './grpc-library.ts';
import { RPC_CODES, RpcError } from './rpc-error.ts';
import type { FailureLog, RpcMethod, RpcService } from './service.ts';
import { startCall } from './started-call.ts';

export interface GrpcServerOptions {
  /** Port 0 takes a free one. */
  readonly address: TcpAddress;
  readonly services: readonly RpcService[];
  readonly log: FailureLog;
  /** Whoever reaches the port may ask for secrets, in plaintext. Off, only loopback addresses are served. */
  readonly dangerouslyServeBeyondLoopback?: boolean;
}

export interface GrpcServer {
  readonly port: number;
  /** Answers what is in flight for up to `graceMilliseconds`, then aborts the rest. */
  close(graceMilliseconds: number): Promise<void>;
}

/** As much as ttrpc carries. */
const MAX_MESSAGE_BYTES = 4 << 20;
const MAX_REQUESTS_IN_FLIGHT = 128;

/**
 * Serves over gRPC, plaintext, on a TCP address. Methods that no service has are UNIMPLEMENTED. Throws AddressError
 * ADDRESS_NOT_LOOPBACK, ADDRESS_UNAVAILABLE.
 */
export async function startGrpcServer(options: GrpcServerOptions): Promise<GrpcServer> {
  const { address } = options;
  if (!isLoopback(address) && options.dangerouslyServeBeyondLoopback !== true) {
    throw new AddressError('ADDRESS_NOT_LOOPBACK', 'expected a loopback address to listen at, got another');
  }
  const { Server, ServerCredentials } = await loadGrpc();
  const server = new Server({
    'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
    'grpc.max_send_message_length': MAX_MESSAGE_BYTES,
    'grpc.max_concurrent_streams': MAX_REQUESTS_IN_FLIGHT, // on one connection
  });
  for (const service of options.services) addService(server, service, options.log);
  const port = await listen(server, address, ServerCredentials.createInsecure());
  return {
    port,
    close: async (graceMilliseconds) => {
      await close(server, graceMilliseconds);
    },
  };
}

/** The messages stay bytes for the library: a method reads and writes them itself, for ttrpc as well. */
function addService(server: Server, service: RpcService, log: FailureLog): void {
  const names = [...service.methods];
  if (names.length === 0) return; // the library takes none without methods, and answers for it all the same
  server.addService(
    Object.fromEntries(names.map(([name, method]) => [name, bytesMethod(method.path)])),
    Object.fromEntries(names.map(([name, method]) => [name, answerOver(method, log)])),
  );
}

function bytesMethod(path: string) {
  return {
    path,
    requestStream: false,
    responseStream: false,
    requestSerialize: asBuffer,
    requestDeserialize: plainBytes,
    responseSerialize: asBuffer,
    responseDeserialize: plainBytes,
  } as const;
}

function answerOver(method: RpcMethod, log: FailureLog): UntypedHandleCall {
  return (call: ServerUnaryCall<Uint8Array, Uint8Array>, reply: sendUnaryData<Uint8Array>) => {
    const started = startCall(method, call.request, deadlineOf(call), log);
    call.on('cancelled', () => {
      started.abort(new RpcError('CANCELLED', 'the caller gave the call up'));
    });
    started.answer.then(
      (response) => {
        reply(null, response);
      },
      (error: unknown) => {
        const { code, message } = error as RpcError; // StartedCall rejects with nothing else
        // eslint-disable-next-line @typescript-eslint/no-unsafe-enum-assignment -- the library's enum is google.rpc.Code too
        reply({ code: RPC_CODES[code] as status, details: message });
      },
    );
  };
}

/** The library tells it by the clock on the wall, and says Infinity where there is none. */
function deadlineOf(call: ServerUnaryCall<Uint8Array, Uint8Array>): Deadline | undefined {
  const milliseconds = Number(call.getDeadline()) - Date.now();
  return Number.isFinite(milliseconds) ? deadlineIn(milliseconds) : undefined;
}

async function listen(
  server: Server,
  { host, port }: TcpAddress,
  credentials: Parameters<Server['bindAsync']>[1],
): Promise<number> {
  const target = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
  return await new Promise<number>((resolve, reject) => {
    server.bindAsync(target, credentials, (cause, boundPort) => {
      if (cause === null) resolve(boundPort);
      else
        reject(
          new AddressError('ADDRESS_UNAVAILABLE', `expected to listen at port ${port}, could not`, { cause }),
        );
    });
  });
}

async function close(server: Server, graceMilliseconds: number): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(() => {
      server.forceShutdown();
    }, graceMilliseconds);
    server.tryShutdown(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}
