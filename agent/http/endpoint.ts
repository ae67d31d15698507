import { type EndpointTrust, parseEndpointUrl } from './endpoint-trust.ts';
import type { Server } from './server.ts';
import { createTlsExchange } from './tls-exchange.ts';

/** A server as the configuration names it. */
export interface Endpoint {
  /** http or https, with a path where the server is not at the root. */
  readonly url: string;
  readonly trust?: EndpointTrust | undefined;
}

/** Opens no connection yet. Throws EndpointError. */
export function serverAt({ url, trust }: Endpoint, userAgent: string): Server {
  return { baseUrl: parseEndpointUrl(url, trust), exchange: createTlsExchange(trust), userAgent };
}
