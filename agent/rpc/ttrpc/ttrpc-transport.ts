import { connect } from 'node:net';
import type { UnixAddress } from '../address.ts';
import type { RpcTransport } from '../client.ts';
import { ByteBudget } from './byte-budget.ts';
import { ClientConnection } from './client-connection.ts';

export interface TtrpcTransportOptions {
  /** Requests that the server has not taken yet, together with an answer that is half there. */
  readonly maxBytes?: number;
  /** For how long an answer may stay half, or a request untaken. */
  readonly stallMilliseconds?: number;
}

const MAX_BYTES = 32 << 20;
const STALL_MILLISECONDS = 30_000;

/**
 * Calls over ttrpc, all on one connection. It is made by the first call, and made again by the next one after it was lost;
 * calls that were in flight then are UNAVAILABLE and not repeated, since the server may have carried them out.
 */
export function createTtrpcTransport(
  address: UnixAddress,
  options: TtrpcTransportOptions = {},
): RpcTransport {
  const budget = new ByteBudget(options.maxBytes ?? MAX_BYTES);
  let connection: ClientConnection | undefined;
  return {
    async call(service, method, payload, callOptions) {
      if (connection?.isUsable !== true) {
        const socket = connect({ path: address.path });
        connection = new ClientConnection(socket, budget, options.stallMilliseconds ?? STALL_MILLISECONDS);
      }
      return await connection.call(service, method, payload, callOptions);
    },
    close() {
      connection?.close();
      connection = undefined;
    },
  };
}
