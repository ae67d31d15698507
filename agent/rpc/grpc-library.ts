import type * as Grpc from '@grpc/grpc-js';

/**
 * The gRPC library, loaded when it is first used: a guest that speaks ttrpc only, as most do, does without.
 *
 * `@grpc/grpc-js` and not `@connectrpc/connect-node`: a listening server of the former costs 55 ms and 15 MiB of resident
 * memory beside what is loaded anyway, one of the latter 75 ms and 18 MiB (medians of nine starts, Node 24).
 */
export async function loadGrpc(): Promise<typeof Grpc> {
  const grpc = await import('@grpc/grpc-js');
  grpc.setLogVerbosity(grpc.logVerbosity.NONE); // it would write to stderr what it tells its caller anyway
  return grpc;
}

/** The library hands out Buffers, whose `slice` and `toJSON` are not those of the bytes that ttrpc hands out. */
export function plainBytes(buffer: Uint8Array): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
}
