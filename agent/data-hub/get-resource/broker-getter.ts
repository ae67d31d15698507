import type { LifetimeOptions } from '../../binding/token-lifetime.ts';
import type { AttemptOptions } from '../../http/attempts.ts';
import type { Server } from '../../http/server.ts';
import { createAgentTokens } from '../../kbs-client/agent-tokens.ts';
import { bearerCredentials, type ObtainCredentials } from '../../kbs-client/credentials.ts';
import {
  createGetResource,
  type GetResource,
  type ResourceServer,
  type ResourceServerOptions,
} from '../../kbs-client/resource-servers.ts';

/** A key broker that resources come from. */
export interface Broker {
  readonly server: Server;
  /** What the Attestation Agent is asked for: `kbs`, `kbs:<host>`, `coco_as_bound`, `coco_as_bound:<name>`. */
  readonly tokenType: string;
  readonly plugins?: readonly string[] | undefined;
}

export interface BrokerGetterOptions {
  /** By `host[:port]`; the empty host is the default one. */
  readonly brokers: ReadonlyMap<string, Broker>;
  /** GetToken of the Attestation Agent. */
  readonly askAgent: (tokenType: string) => Promise<string>;
  readonly unknownHost?: ResourceServerOptions['unknownHost'];
  readonly attempts?: AttemptOptions | undefined;
  readonly clock: () => Date;
}

const LIFETIME: LifetimeOptions = { renewBeforeSeconds: 30, skewSeconds: 60 };

/**
 * Gets resources of key brokers with tokens of the Attestation Agent: `cc_kbc`. Tokens are kept until shortly before they
 * end, one of each type for all brokers that take it. Throws as createGetResource, AttestationAgentError.
 */
export function createBrokerGetter(options: BrokerGetterOptions): GetResource {
  const { brokers, askAgent, clock, unknownHost = 'refuse', attempts } = options;
  const obtainOfType = new Map<string, ObtainCredentials>();
  for (const { tokenType } of brokers.values()) {
    if (obtainOfType.has(tokenType)) continue;
    const tokens = createAgentTokens({
      askAgent,
      tokenType,
      saysWhatWasRefused: true,
      clock,
      lifetime: LIFETIME,
    });
    obtainOfType.set(tokenType, bearerCredentials(tokens));
  }
  const servers = new Map<string, ResourceServer>();
  for (const [host, { server, tokenType, plugins }] of brokers) {
    const obtain = obtainOfType.get(tokenType);
    if (obtain !== undefined) servers.set(host, { server, obtain, plugins });
  }
  return createGetResource(servers, { unknownHost, attempts });
}
