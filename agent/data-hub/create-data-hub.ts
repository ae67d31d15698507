import type { AttemptOptions } from '../http/attempts.ts';
import { serverAt } from '../http/endpoint.ts';
import type { EndpointTrust } from '../http/endpoint-trust.ts';
import { DEFAULT_HOST, type GetResource } from '../kbs-client/resource-servers.ts';
import { parseResourceUri } from '../resource-uri.ts';
import type { HubConfig } from './config.ts';
import { type Broker, createBrokerGetter } from './get-resource/broker-getter.ts';
import { createOfflineGetter } from './get-resource/offline-resources.ts';
import { createUnwrapKey } from './key-unwrap/unwrap-key.ts';
import { createKbsDriver } from './kms/kbs/kbs-driver.ts';
import type { KmsDrivers } from './kms/kms.ts';
import { createUnseal } from './sealed-secret/unseal.ts';
import { createVerificationKeys } from './sealed-secret/verification-keys.ts';
import type { DataHub } from './service.ts';

export interface DataHubParts {
  /** GetToken of the Attestation Agent. */
  readonly askAgent: (tokenType: string) => Promise<string>;
  readonly userAgent: string;
  readonly clock: () => Date;
  /** Beside `kbs`. */
  readonly drivers?: KmsDrivers;
  readonly offlineTexts?: readonly (string | undefined)[];
  readonly onDuplicate: (name: string) => void;
  readonly attempts?: AttemptOptions;
}

/** The hub's three functions of a configuration. Opens no connection. Throws EndpointError, OfflineResourceError. */
export function createDataHub(config: HubConfig, parts: DataHubParts): DataHub {
  const getResource = getterOf(config, parts);
  const drivers: KmsDrivers = new Map([...(parts.drivers ?? []), ['kbs', createKbsDriver(getResource)]]);
  return {
    getResource,
    unseal: createUnseal({
      verificationKeys: config.skip_sealed_secret_verification
        ? 'dangerously-skip'
        : createVerificationKeys({
            folder: config.sealed_secret.key_folder,
            kids: config.sealed_secret.kids,
            resources: config.sealed_secret.key_uris.map(parseResourceUri),
            getResource,
          }),
      drivers,
    }),
    unwrapKey: createUnwrapKey({ getResource, drivers, form: config.key_unwrap.output }),
  };
}

function getterOf(config: HubConfig, parts: DataHubParts): GetResource {
  const { kbc, resource_servers: servers } = config;
  switch (kbc.name) {
    case 'offline_fs_kbc':
      return createOfflineGetter({ texts: parts.offlineTexts ?? [], onDuplicate: parts.onDuplicate });
    case 'cc_kbc':
      return createBrokerGetter({
        brokers: brokersOf(config, parts.userAgent),
        askAgent: parts.askAgent,
        // Where there is one server only, hosts route nothing, as with upstream's hub.
        unknownHost: kbc.unknown_host ?? (servers.length === 0 ? 'default' : 'refuse'),
        attempts: parts.attempts,
        clock: parts.clock,
      });
  }
}

type ServerEntry = Omit<HubConfig['resource_servers'][number], 'host'>;

function brokersOf(
  { kbc, resource_servers: servers }: HubConfig,
  userAgent: string,
): ReadonlyMap<string, Broker> {
  const brokers = new Map(
    servers.map(({ host, ...server }) => [host.toLowerCase(), brokerOf(server, userAgent)]),
  );
  if (kbc.url !== '') brokers.set(DEFAULT_HOST, brokerOf({ ...kbc, cert: kbc.kbs_cert }, userAgent));
  return brokers;
}

function brokerOf(entry: ServerEntry, userAgent: string): Broker {
  return {
    server: serverAt({ url: entry.url, trust: trustOf(entry) }, userAgent),
    tokenType: entry.token_type,
    plugins: entry.plugins,
  };
}

/** Upstream's examples have an empty certificate, which is none; but it is no answer to `only`. */
function trustOf({ cert = '', ca_mode: mode, pins }: ServerEntry): EndpointTrust {
  const hasAuthorities = cert !== '' || mode === 'only';
  return { ...(hasAuthorities && { ca: { mode, pem: cert } }), ...(pins !== undefined && { pins }) };
}
