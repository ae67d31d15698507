import { attestationServicesIn, DEFAULT_SERVICE } from '../config/attestation-services.ts';
import { serviceNameOf } from '../config/config-relations.ts';
import type { Config, EndpointConfig } from '../config/config-schema.ts';
import { trustOf } from '../config/endpoint-config.ts';
import { type AttemptOptions, USUAL_ATTEMPTS } from '../http/attempts.ts';
import { serverAt } from '../http/endpoint.ts';
import type { Server } from '../http/server.ts';
import { DEFAULT_HOST } from '../kbs-client/resource-servers.ts';
import type { AttestationServiceEntry, ResourceServerEntry, TokenSource } from './tokens/token-service.ts';

export interface ConfiguredResourceServer extends ResourceServerEntry {
  /** The plugins that may be asked there; undefined: any. */
  readonly plugins: readonly string[] | undefined;
}

/** The servers of a configuration. No connection is opened yet. */
export interface ConfiguredServers {
  readonly attestationServices: ReadonlyMap<string, AttestationServiceEntry>;
  readonly resourceServers: ReadonlyMap<string, ConfiguredResourceServer>;
  readonly attempts: AttemptOptions;
}

export interface ServerOptions {
  readonly userAgent: string;
  readonly readText: (path: string) => Promise<string>;
}

/** Throws EndpointError for what the configuration's own checks have not seen. */
export function configuredServers(config: Config, options: ServerOptions): ConfiguredServers {
  const { request_seconds, attempt_seconds } = config.deadlines;
  return {
    attestationServices: attestationServices(config, options.userAgent),
    resourceServers: resourceServers(config, options),
    attempts: {
      ...USUAL_ATTEMPTS,
      deadlineMilliseconds: request_seconds * 1000,
      attemptMilliseconds: attempt_seconds * 1000,
    },
  };
}

function attestationServices(
  { token_configs: { coco_as: services, attestation_service: chosen } }: Config,
  userAgent: string,
): ReadonlyMap<string, AttestationServiceEntry> {
  const entries = new Map<string, AttestationServiceEntry>();
  for (const [name, { endpoint }] of attestationServicesIn(services)) {
    const server = openServer(endpoint, userAgent);
    if (server !== undefined) entries.set(name, { server, policyIds: endpoint.policy_ids });
  }
  const meant = chosen === undefined ? undefined : entries.get(chosen);
  return meant === undefined ? entries : entries.set(DEFAULT_SERVICE, meant);
}

function resourceServers(
  { token_configs: { kbs }, resource_servers: others }: Config,
  { userAgent, readText }: ServerOptions,
): ReadonlyMap<string, ConfiguredResourceServer> {
  const entries = new Map<string, ConfiguredResourceServer>();
  const written = [...(kbs === undefined ? [] : [{ ...kbs, host: DEFAULT_HOST }]), ...others];
  for (const { host, plugins, ...keys } of written) {
    const server = openServer(keys, userAgent);
    if (server === undefined) continue;
    entries.set(host.toLowerCase(), { server, tokenSource: tokenSourceOf(keys, readText), plugins });
  }
  return entries;
}

function openServer(
  endpoint: Pick<EndpointConfig, 'url' | 'cert' | 'ca_mode' | 'pins'>,
  userAgent: string,
): Server | undefined {
  const { url } = endpoint;
  return url === undefined ? undefined : serverAt({ url, trust: trustOf(endpoint) }, userAgent);
}

function tokenSourceOf(
  keys: Pick<Config['resource_servers'][number], 'token_source' | 'token_file'>,
  readText: ServerOptions['readText'],
): TokenSource {
  const { token_source: source = 'kbs', token_file: file } = keys;
  if (file !== undefined) return { kind: 'file', readText: async () => await readText(file) };
  if (source === 'kbs') return { kind: 'background-check' };
  return { kind: 'passport', attestationService: serviceNameOf(source) ?? DEFAULT_SERVICE };
}
