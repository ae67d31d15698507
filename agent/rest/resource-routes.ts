import { formatResourceUri, parseResourceUri, ResourceUriError } from '../resource-uri.ts';
import type { RpcClient } from '../rpc/client.ts';
import type { GetResourceService } from '../rpc/gen/confidential_data_hub_pb.ts';
import { RestError } from './rest-error.ts';
import { bytesReply, type RestReply, type RestRequest, type Route } from './route.ts';

type Hub = RpcClient<typeof GetResourceService>;

const RESOURCE = '/cdh/resource/';
const PLUGIN = '/cdh/plugin/';

/**
 * The paths below `/cdh`: resources of the Confidential Data Hub, over HTTP. `/cdh/plugin/<plugin>/<path>` is ours:
 * upstream's front reaches the plugin `resource` only, and loses the query. They throw RestError, RpcError.
 */
export function resourceRoutes(hub: Hub): readonly Route[] {
  return [
    {
      method: 'GET',
      path: RESOURCE,
      answer: async (request) =>
        await getResource(hub, `kbs:///${request.path.slice(RESOURCE.length)}`, request),
    },
    {
      method: 'GET',
      path: PLUGIN,
      async answer(request) {
        const [plugin = '', ...segments] = request.path.slice(PLUGIN.length).split('/');
        return await getResource(hub, `kbs+${plugin}:///${segments.join('/')}`, request);
      },
    },
  ];
}

/** The name is read here as well, so that what goes on is one resource of the default server and nothing else. */
async function getResource(hub: Hub, uri: string, { query, signal }: RestRequest): Promise<RestReply> {
  const resourcePath = spelled(query === '' ? uri : `${uri}?${query}`);
  return bytesReply((await hub.getResource({ resourcePath }, { signal })).resource);
}

function spelled(uri: string): string {
  try {
    return formatResourceUri(parseResourceUri(uri));
  } catch (cause) {
    if (!(cause instanceof ResourceUriError)) throw cause;
    throw new RestError('RESOURCE_NAME_REFUSED', 'expected the name of a resource, got another path', {
      cause,
    });
  }
}
