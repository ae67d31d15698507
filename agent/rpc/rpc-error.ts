import { CodedError } from '../../server/errors/coded-error.ts';

/** google.rpc.Code (google/rpc/code.proto), by name. 0 is OK and no error. */
export const RPC_CODES = {
  CANCELLED: 1,
  UNKNOWN: 2,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  OUT_OF_RANGE: 11,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  DATA_LOSS: 15,
  UNAUTHENTICATED: 16,
} as const;
export type RpcCode = keyof typeof RPC_CODES;

const NAME_OF_CODE: ReadonlyMap<number, string> = new Map(
  Object.entries(RPC_CODES).map(([name, code]) => [code, name]),
);

/**
 * A call that failed, on either side. A handler throws one to choose what its caller sees: code and message travel, the
 * cause never does.
 */
export class RpcError extends CodedError<RpcCode> {}

/** The name of a code from the wire. A number that has none is UNKNOWN, as google/rpc/code.proto says. */
export function rpcCodeOf(code: number): RpcCode {
  return (NAME_OF_CODE.get(code) ?? 'UNKNOWN') as RpcCode;
}
