import type { RpcClient } from '../rpc/client.ts';
import type { AttestationAgentService } from '../rpc/gen/attestation_agent_pb.ts';
import type { GetResourceService } from '../rpc/gen/confidential_data_hub_pb.ts';
import { attestationRoutes } from './attestation-routes.ts';
import { readParameters } from './request-target.ts';
import { resourceRoutes } from './resource-routes.ts';
import { RestError } from './rest-error.ts';
import { chooseRoute, jsonReply, type RestReply, type RestRequest, type Route } from './route.ts';

/** Upstream's names. */
export const REST_FEATURES = ['resource', 'attestation', 'all'] as const;
export type RestFeatures = (typeof REST_FEATURES)[number];

export interface RestFrontOptions {
  /** As it was configured; said by `/info`. */
  readonly features: RestFeatures;
  /** Absent: the feature is not enabled. */
  readonly agent?: RpcClient<typeof AttestationAgentService> | undefined;
  readonly hub?: RpcClient<typeof GetResourceService> | undefined;
  readonly version: string;
}

/** Throws RestError, RpcError. */
export type RestFront = (request: RestRequest) => Promise<RestReply>;

const FIRST_COMPONENT = /^\/[^/]*/;

/** Upstream's HTTP paths in the guest: `/info`, `/aa/…`, `/cdh/…`. */
export function createRestFront(options: RestFrontOptions): RestFront {
  const { agent, hub } = options;
  const info = infoRoute(options);
  const ofAgent = agent && attestationRoutes(agent);
  const ofHub = hub && resourceRoutes(hub);
  return async (request) => await chooseRoute(routesFor(request.path), request).answer(request);

  function routesFor(path: string): readonly Route[] {
    const component = FIRST_COMPONENT.exec(path)?.[0];
    if (component === '/aa') return ofAgent ?? notEnabled('ATTESTATION_NOT_ENABLED');
    if (component === '/cdh') return ofHub ?? notEnabled('RESOURCE_NOT_ENABLED');
    return [info];
  }
}

function infoRoute({ agent, features, version }: RestFrontOptions): Route {
  return {
    method: 'GET',
    path: '/info',
    async answer({ query, signal }) {
      readParameters(query, []);
      if (agent === undefined) return jsonReply({ version, feature: features });
      const [{ tee }, { additionalTees }] = await Promise.all([
        agent.getTeeType({}, { signal }),
        agent.getAdditionalTees({}, { signal }),
      ]);
      return jsonReply({ version, tee, additional_tees: additionalTees, feature: features });
    },
  };
}

function notEnabled(code: 'ATTESTATION_NOT_ENABLED' | 'RESOURCE_NOT_ENABLED'): never {
  throw new RestError(code, 'expected a path of an enabled feature, got one of another');
}
