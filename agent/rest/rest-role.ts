import type { Role, RoleContext, RunningRole } from '../role.ts';
import { parseTcpAddress, parseUnixAddress } from '../rpc/address.ts';
import { createRpcClient, type RpcTransport } from '../rpc/client.ts';
import { AttestationAgentService } from '../rpc/gen/attestation_agent_pb.ts';
import { GetResourceService } from '../rpc/gen/confidential_data_hub_pb.ts';
import { createTtrpcTransport } from '../rpc/ttrpc/ttrpc-transport.ts';
import { createPeerCheck, PeerRangeError } from './request-guard.ts';
import { createRestFront, type RestFeatures } from './rest-front.ts';
import { type RestLimits, startRestServer } from './rest-server.ts';

export interface RestRoleOptions {
  readonly features: RestFeatures;
  /** Said by `/info`. */
  readonly version: string;
  readonly bind?: string;
  readonly hubAddress?: string;
  readonly agentAddress?: string;
  /** Names beside those of loopback by which the front may be called. */
  readonly hosts?: readonly string[];
  /** Ranges beside loopback from which it may be called, `10.42.0.0/16`; they need an access token. */
  readonly peers?: readonly string[];
  readonly accessToken?: string | undefined;
  readonly limits?: Partial<RestLimits>;
}

const BIND = '127.0.0.1:8006';
const HUB = 'unix:///run/confidential-containers/cdh.sock';
const AGENT = 'unix:///run/confidential-containers/attestation-agent/attestation-agent.sock';
const TIMEOUT_MILLISECONDS = 50_000;

export interface RestRole extends Role {
  start(context: RoleContext): Promise<RunningRole & { readonly port: number }>;
}

/** The REST front as a role. Its peers are connected to when they are first needed, and again when they were lost. */
export function restRole(options: RestRoleOptions): RestRole {
  return {
    name: 'api-server-rest',
    async start({ log }) {
      const { features, version, hosts = [], peers = [], accessToken, limits = {} } = options;
      requireToken(peers, accessToken);
      const transports: RpcTransport[] = [];
      const connect = (address: string): RpcTransport => {
        const transport = createTtrpcTransport(parseUnixAddress(address));
        transports.push(transport);
        return transport;
      };
      const agent =
        features === 'resource'
          ? undefined
          : createRpcClient(
              AttestationAgentService,
              connect(options.agentAddress ?? AGENT),
              TIMEOUT_MILLISECONDS,
            );
      const hub =
        features === 'attestation'
          ? undefined
          : createRpcClient(GetResourceService, connect(options.hubAddress ?? HUB), TIMEOUT_MILLISECONDS);
      const server = await startRestServer({
        address: parseTcpAddress(options.bind ?? BIND),
        front: createRestFront({ features, agent, hub, version }),
        guard: { isPeerAllowed: createPeerCheck(peers), hosts, accessToken },
        log: log.failure,
        limits,
      });
      return {
        port: server.port,
        async close(graceMilliseconds) {
          await server.close(graceMilliseconds);
          for (const transport of transports) transport.close();
        },
      };
    },
  };
}

function requireToken(peers: readonly string[], accessToken: string | undefined): void {
  if (peers.length === 0 || accessToken !== undefined) return;
  throw new PeerRangeError(
    'PEERS_WITHOUT_ACCESS_TOKEN',
    'expected an access token beside peers that are not on loopback, got none',
  );
}
