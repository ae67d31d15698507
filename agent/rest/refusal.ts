import { reasonOf } from '../rpc/failure-reason.ts';
import { type RpcCode, RpcError } from '../rpc/rpc-error.ts';
import { RestError } from './rest-error.ts';

/** What is said of a request that did not go well. Never what a peer said in its own words. */
export interface Refusal {
  readonly status: number;
  readonly words: string;
  /** For the header `verigo-code`. */
  readonly code: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** How a call that a peer refused looks over HTTP. 502 is what we cannot tell apart. */
const STATUS_OF_RPC: Readonly<Partial<Record<RpcCode, readonly [status: number, words: string]>>> = {
  INVALID_ARGUMENT: [400, 'BAD REQUEST'],
  UNAUTHENTICATED: [403, 'Forbidden'], // this guest, by a key broker; nobody who asks here could do more
  PERMISSION_DENIED: [403, 'Forbidden'],
  UNIMPLEMENTED: [501, 'Not Implemented'],
  UNAVAILABLE: [503, 'Service Unavailable'],
  RESOURCE_EXHAUSTED: [503, 'Service Unavailable'],
  DEADLINE_EXCEEDED: [504, 'Gateway Timeout'],
};
const RETRY_AFTER_SECONDS = '1';

/** Of RestError, RpcError, and whatever else: that is ours, and 500. */
export function refusalOf(error: unknown): Refusal {
  if (error instanceof RestError) return refusalOfRequest(error);
  if (error instanceof RpcError) return refusalOfCall(error);
  return { status: 500, words: 'Internal Server Error', code: 'INTERNAL', headers: {} };
}

function refusalOfRequest({ status, words, code, allowed }: RestError): Refusal {
  return {
    status,
    words,
    code,
    headers: {
      ...(allowed !== undefined && { allow: allowed }),
      ...(status === 401 && { 'www-authenticate': 'Bearer' }),
      ...(status === 503 && { 'retry-after': RETRY_AFTER_SECONDS }),
    },
  };
}

function refusalOfCall(error: RpcError): Refusal {
  const reason = reasonOf(error);
  const code = reason ?? `PEER_${error.code}`;
  // Without a reason, it is not the resource that was not found but the method: that is how ttrpc says it.
  if (error.code === 'NOT_FOUND' && reason !== undefined) {
    return { status: 404, words: 'NOT FOUND', code, headers: {} };
  }
  const [status, words] = STATUS_OF_RPC[error.code] ?? [502, 'Bad Gateway'];
  return { status, words, code, headers: status === 503 ? { 'retry-after': RETRY_AFTER_SECONDS } : {} };
}
