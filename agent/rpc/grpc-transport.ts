import type { Client, ClientUnaryCall, ServiceError } from '@grpc/grpc-js';
import { asBuffer } from '../../server/bytes/byte-strings.ts';
import type { TcpAddress } from './address.ts';
import { cancelled, type RpcTransport, type TransportOptions } from './client.ts';
import { deadlineExceeded } from './deadline.ts';
import { loadGrpc, plainBytes } from './grpc-library.ts';
import { RpcError, rpcCodeOf } from './rpc-error.ts';
import { methodPath } from './service.ts';

/** As much as ttrpc carries. */
const MAX_MESSAGE_BYTES = 4 << 20;

/** Calls over gRPC, plaintext. The library is loaded and the connection made by the first call. */
export function createGrpcTransport(address: TcpAddress): RpcTransport {
  let client: Promise<Client> | undefined;
  return {
    async call(service, method, payload, options) {
      client ??= connect(address);
      return await callOnce(await client, methodPath(service, method), payload, options);
    },
    close() {
      void client?.then((open) => {
        open.close();
      });
      client = undefined;
    },
  };
}

async function connect({ host, port }: TcpAddress): Promise<Client> {
  const { Client, credentials } = await loadGrpc();
  const target = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
  return new Client(target, credentials.createInsecure(), {
    'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
    'grpc.max_send_message_length': MAX_MESSAGE_BYTES,
    // What is said to this machine goes through no proxy that its environment names, and is said once.
    'grpc.enable_http_proxy': 0,
    'grpc.enable_retries': 0,
    'grpc.service_config_disable_resolution': 1,
  });
}

async function callOnce(
  client: Client,
  path: string,
  payload: Uint8Array,
  { signal, deadline }: TransportOptions,
): Promise<Uint8Array> {
  if (signal?.aborted === true) throw cancelled(signal);
  const milliseconds = deadline - performance.now();
  if (milliseconds <= 0) throw deadlineExceeded();
  let call: ClientUnaryCall | undefined;
  const abort = (): void => call?.cancel();
  signal?.addEventListener('abort', abort);
  try {
    return await new Promise<Uint8Array>((resolve, reject) => {
      call = client.makeUnaryRequest(
        path,
        asBuffer,
        plainBytes,
        payload,
        { deadline: Date.now() + milliseconds },
        (error: ServiceError | null, response?: Uint8Array) => {
          if (error === null && response !== undefined) resolve(response);
          else reject(toRpcError(error, signal));
        },
      );
    });
  } finally {
    signal?.removeEventListener('abort', abort);
  }
}

function toRpcError(error: ServiceError | null, signal: AbortSignal | undefined): RpcError {
  if (signal?.aborted === true) return cancelled(signal);
  if (error === null) return new RpcError('INTERNAL', 'expected an answer or a status, got neither');
  return new RpcError(rpcCodeOf(error.code), error.details, { cause: error });
}
