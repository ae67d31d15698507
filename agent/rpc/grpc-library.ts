import type * as Grpc from '@grpc/grpc-js';

/**
 * The gRPC library, loaded when it is first used: a guest that speaks ttrpc only, as most do, does without.
 *
 * `@grpc/grpc-js` and not `@connectrpc/connect-node`: a listening server of the former costs 55 ms and 15 MiB of resident
 * memory beside what is loaded anyway, one of the latter 75 ms and 18 MiB (medians of nine starts, Node 24).
 */
export async function loadGrpc(): Promise<typeof Grpc> {
  return await import('@grpc/grpc-js');
}
