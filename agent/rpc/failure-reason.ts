import type { RpcError } from './rpc-error.ts';

/** Behind the words of a message, in brackets: `Get Resource failed (RESOURCE_NOT_FOUND)`. */
const REASON = /\(([A-Z][A-Z0-9_]{0,63})\)$/;

/** The code that a server of ours has put behind its words; undefined of others, and of calls that reached none. */
export function reasonOf({ message }: RpcError): string | undefined {
  return REASON.exec(message)?.[1];
}
