import type { AttemptOptions } from '../http/attempts.ts';
import type { Role, RoleContext, RunningRole } from '../role.ts';
import { parseTcpAddress, parseUnixAddress } from '../rpc/address.ts';
import { createRpcClient } from '../rpc/client.ts';
import { AttestationAgentService } from '../rpc/gen/attestation_agent_pb.ts';
import { startGrpcServer } from '../rpc/grpc-server.ts';
import type { RpcService } from '../rpc/service.ts';
import { startTtrpcServer } from '../rpc/ttrpc/ttrpc-server.ts';
import { createTtrpcTransport } from '../rpc/ttrpc/ttrpc-transport.ts';
import type { HubConfig } from './config.ts';
import { createDataHub } from './create-data-hub.ts';
import { startCredentialFetch } from './credentials/credential-fetch.ts';
import { createAskAgent } from './get-resource/attestation-agent.ts';
import type { KmsDrivers } from './kms/kms.ts';
import { hubServices } from './service.ts';

export interface DataHubRoleOptions {
  readonly config: HubConfig;
  /** In the header of requests to key brokers: `verigo-cdh/<version>`. */
  readonly userAgent: string;
  /** Beside `kbs`, which is always there. */
  readonly drivers?: KmsDrivers;
  /** The texts of `offline_fs_kbc`'s files; undefined: there is no such file. */
  readonly offlineTexts?: readonly (string | undefined)[];
  readonly attempts?: AttemptOptions;
  readonly credentialFolder?: string;
}

/** Upstream's clients of the agent wait for as long. */
const AGENT_TIMEOUT_MILLISECONDS = 50_000;

/** The Confidential Data Hub as a role: it serves at the configuration's socket. */
export function dataHubRole(options: DataHubRoleOptions): Role {
  return {
    name: 'confidential-data-hub',
    start: async (context) => await start(options, context),
  };
}

async function start(options: DataHubRoleOptions, { clock, log }: RoleContext): Promise<RunningRole> {
  const { config } = options;
  if (config.skip_sealed_secret_verification) {
    log.warn(
      'sealed secrets are not verified (skip_sealed_secret_verification): whoever writes a pod specification chooses what is unsealed',
    );
  }
  const transport = createTtrpcTransport(parseUnixAddress(config.aa.aa_socket));
  const agent = createRpcClient(AttestationAgentService, transport, AGENT_TIMEOUT_MILLISECONDS);
  const hub = createDataHub(config, {
    ...options,
    askAgent: createAskAgent(agent),
    clock,
    onDuplicate: () => {
      log.warn('a resource is in two files of offline_fs_kbc; that of the later one counts');
    },
  });
  const server = await serveAt(config.socket, hubServices(hub), log.failure);
  const credentials = startCredentialFetch(
    config.credentials.map(({ path, resource_uri: resourceUri }) => ({ path, resourceUri })),
    {
      getResource: hub.getResource,
      folder: options.credentialFolder,
      onFailure: (index, error) => {
        log.failure(`credentials[${index}]`, error);
      },
    },
  );
  return {
    async close(graceMilliseconds) {
      credentials.close();
      await server.close(graceMilliseconds);
      transport.close();
    },
  };
}

async function serveAt(
  socket: string,
  services: readonly RpcService[],
  log: RoleContext['log']['failure'],
): Promise<RunningRole> {
  return socket.startsWith('unix:')
    ? await startTtrpcServer({ address: parseUnixAddress(socket), services, log })
    : await startGrpcServer({ address: parseTcpAddress(socket), services, log });
}
