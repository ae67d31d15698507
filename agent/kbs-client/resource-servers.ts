import { CodedError } from '../../server/errors/coded-error.ts';
import type { AttemptOptions } from '../http/attempts.ts';
import type { Server } from '../http/server.ts';
import { parseResourceUri, type ResourceUri } from '../resource-uri.ts';
import type { ObtainCredentials } from './credentials.ts';
import { fetchResource } from './fetch-resource.ts';

export type ResourceServerErrorCode = 'RESOURCE_SERVER_UNKNOWN' | 'PLUGIN_NOT_ALLOWED';

/** A resource that this guest's configuration does not let it ask for. */
export class ResourceServerError extends CodedError<ResourceServerErrorCode> {}

export interface ResourceServer {
  readonly server: Server;
  readonly obtain: ObtainCredentials;
  /** The plugins that may be asked there; undefined: any. */
  readonly plugins?: readonly string[] | undefined;
}

export interface ResourceServerOptions {
  /**
   * What becomes of a URI whose host is not in the table. `refuse`; or `default`, as upstream's guests do, which look at no
   * host at all: for estates whose URIs carry hosts that were never meant.
   */
  readonly unknownHost?: 'refuse' | 'default';
  readonly attempts?: AttemptOptions | undefined;
}

/** Gets a resource by its URI, `kbs[+plugin]://[host[:port]]/…`. */
export type GetResource = (uri: string | ResourceUri) => Promise<Uint8Array>;

/** A URI without a host names this one. */
export const DEFAULT_HOST = '';

/**
 * Routes each URI by its host to the server that the table has for it; the empty host is the default server. Throws
 * ResourceUriError, ResourceServerError, and what fetchResource throws.
 */
export function createGetResource(
  servers: ReadonlyMap<string, ResourceServer>,
  { unknownHost = 'refuse', attempts }: ResourceServerOptions = {},
): GetResource {
  return async (name) => {
    const uri = typeof name === 'string' ? parseResourceUri(name) : name;
    const found =
      servers.get(uri.host) ?? (unknownHost === 'default' ? servers.get(DEFAULT_HOST) : undefined);
    if (found === undefined) {
      throw new ResourceServerError(
        'RESOURCE_SERVER_UNKNOWN',
        `expected a resource of a server in the table, got one of ${uri.host === '' ? 'the default server, of which there is none' : `'${uri.host}'`}`,
      );
    }
    if (found.plugins !== undefined && !found.plugins.includes(uri.plugin)) {
      throw new ResourceServerError(
        'PLUGIN_NOT_ALLOWED',
        `expected one of the plugins ${found.plugins.join(', ')} there, got '${uri.plugin}'`,
      );
    }
    return await fetchResource(uri, { ...found, attempts });
  };
}
