import {
  create,
  type DescMethod,
  type DescService,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf';
import type { Deadline } from './deadline.ts';
import { RpcError } from './rpc-error.ts';

/** What a handler knows of its call besides the request. It may be passed on as the options of further calls. */
export interface CallContext {
  /** Aborted when nobody waits for the answer any more: deadline, closed connection, shutdown. */
  readonly signal: AbortSignal;
  readonly deadline: Deadline | undefined;
}

/** Hears of failures whose cause the caller is not told. `path` is that of the method, or `accept`. */
export type FailureLog = (path: string, error: unknown) => void;

type Handler<M extends DescMethod> = (
  request: MessageShape<M['input']>,
  context: CallContext,
) => Promise<MessageInitShape<M['output']>>;

/** A function for every method of a generated service; one that is not offered says so. */
export type Handlers<S extends DescService> = {
  readonly [Name in keyof S['method']]: Handler<S['method'][Name]> | 'unimplemented';
};

/** A method as transports see it: bytes in, bytes out. */
export interface RpcMethod {
  /** `/<package>.<Service>/<Method>` */
  readonly path: string;
  /** Rejects with nothing but RpcError. */
  answer(payload: Uint8Array, context: CallContext, log: FailureLog): Promise<Uint8Array>;
}

/** A service as transports see it: the same one is served over ttrpc and gRPC. */
export interface RpcService {
  readonly typeName: string;
  /** By the name of the proto file. Holds what is implemented. */
  readonly methods: ReadonlyMap<string, RpcMethod>;
}

/** Ties a generated service to the functions that carry it out. */
export function implementService<S extends DescService>(service: S, handlers: Handlers<S>): RpcService {
  const methods = new Map<string, RpcMethod>();
  for (const method of service.methods) {
    const handler = handlers[method.localName] as Handler<DescMethod> | 'unimplemented';
    if (handler === 'unimplemented') continue;
    const path = methodPath(service.typeName, method.name);
    methods.set(method.name, {
      path,
      async answer(payload, context, log) {
        const request = readRequest(method, payload);
        try {
          return writeResponse(method, await handler(request, context));
        } catch (error) {
          throw toRpcError(error, path, log);
        }
      },
    });
  }
  return { typeName: service.typeName, methods };
}

export function methodPath(service: string, method: string): string {
  return `/${service}/${method}`;
}

function readRequest(method: DescMethod, payload: Uint8Array): MessageShape<DescMethod['input']> {
  try {
    // Unknown fields are passed over: kept, each would cost its sender two bytes and us a hundred.
    return fromBinary(method.input, payload, { readUnknownFields: false });
  } catch (cause) {
    throw new RpcError(
      'INVALID_ARGUMENT',
      `expected a ${method.input.typeName}, got ${payload.byteLength} bytes that are none`,
      { cause },
    );
  }
}

function writeResponse(method: DescMethod, response: MessageInitShape<DescMethod['output']>): Uint8Array {
  return toBinary(method.output, create(method.output, response));
}

/** What a handler throws otherwise may hold secrets, paths and stacks: it is logged, and its caller hears a fixed text. */
function toRpcError(error: unknown, path: string, log: FailureLog): RpcError {
  if (error instanceof RpcError) {
    if (error.cause !== undefined) log(path, error);
    return error;
  }
  log(path, error);
  return new RpcError('INTERNAL', 'expected no failure of our own, got one: see the log', { cause: error });
}
