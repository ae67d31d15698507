import {
  create,
  type DescMethod,
  type DescService,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf';
import { type Deadline, deadlineIn } from './deadline.ts';
import { RpcError } from './rpc-error.ts';

export interface CallOptions {
  /** Gives the call up with CANCELLED, or with the reason where that is an RpcError. */
  readonly signal?: AbortSignal | undefined;
  /** Gives the call up with DEADLINE_EXCEEDED. The sooner of this and the client's own timeout counts. */
  readonly deadline?: Deadline | undefined;
}

/** Carries calls to a server: bytes out, bytes in. Made by `createTtrpcTransport` and `createGrpcTransport`. */
export interface RpcTransport {
  /** Rejects with nothing but RpcError. */
  call(service: string, method: string, payload: Uint8Array, options: TransportOptions): Promise<Uint8Array>;
  /** Ends the connection; calls in flight are given up with CANCELLED. A later call connects again. */
  close(): void;
}

export interface TransportOptions {
  readonly signal: AbortSignal | undefined;
  readonly deadline: Deadline;
}

/** A function for every method of a generated service. Each rejects with RpcError. */
export type RpcClient<S extends DescService> = {
  readonly [Name in keyof S['method']]: (
    request: MessageInitShape<S['method'][Name]['input']>,
    options?: CallOptions,
  ) => Promise<MessageShape<S['method'][Name]['output']>>;
};

/** The functions of a service over a transport; every call ends after `timeoutMilliseconds` at the latest. */
export function createRpcClient<S extends DescService>(
  service: S,
  transport: RpcTransport,
  timeoutMilliseconds: number,
): RpcClient<S> {
  const methods = service.methods.map((method) => [
    method.localName,
    async (request: MessageInitShape<DescMethod['input']>, options: CallOptions = {}) => {
      const own = deadlineIn(timeoutMilliseconds);
      const payload = await transport.call(
        service.typeName,
        method.name,
        toBinary(method.input, create(method.input, request)),
        { signal: options.signal, deadline: Math.min(own, options.deadline ?? own) },
      );
      return readResponse(method, payload);
    },
  ]);
  return Object.fromEntries(methods) as RpcClient<S>;
}

/** The error of a call whose caller has aborted it. */
export function cancelled(signal: AbortSignal): RpcError {
  const reason: unknown = signal.reason;
  return reason instanceof RpcError
    ? reason
    : new RpcError('CANCELLED', 'the caller gave the call up', { cause: reason });
}

function readResponse(method: DescMethod, payload: Uint8Array): MessageShape<DescMethod['output']> {
  try {
    return fromBinary(method.output, payload, { readUnknownFields: false });
  } catch (cause) {
    throw new RpcError(
      'INTERNAL',
      `expected a ${method.output.typeName}, got ${payload.byteLength} bytes that are none`,
      { cause },
    );
  }
}
