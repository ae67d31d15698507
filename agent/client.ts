import type { EvidenceDocument, EvidenceProvider } from './attestation-agent/evidence-provider.ts';
import {
  requestNonce,
  requestToken,
  type VerificationRequest,
} from './attestation-service-client/attestation-service-client.ts';
import { fetchPassport } from './attestation-service-client/passport.ts';
import { type Digester, webDigester } from './binding/binding-hash.ts';
import type { BoundToken } from './binding/token-on-arrival.ts';
import { ClientError } from './client-error.ts';
import { type AttemptOptions, USUAL_ATTEMPTS, withAttempts } from './http/attempts.ts';
import type { HttpExchange } from './http/exchange.ts';
import { createFetchExchange } from './http/fetch-exchange.ts';
import type { Server } from './http/server.ts';
import { getOnce } from './kbs-client/fetch-resource.ts';
import { parseResourceUri } from './resource-uri.ts';
import type { TeeKeyAlgorithm } from './tee-key/tee-key.ts';

export { ClientError, type ClientErrorCode } from './client-error.ts';
export { ResourceUriError } from './resource-uri.ts';
export { createTeeKey, type TeeKey } from './tee-key/tee-key.ts';
export { TeeKeyError } from './tee-key/tee-key-error.ts';
export type { BoundToken, EvidenceDocument, EvidenceProvider, HttpExchange, VerificationRequest };

/** Everything but the two addresses has a default. */
export interface ClientOptions {
  /** Base URL of the attestation service, for `challenge`, `attest` and `token`. */
  readonly attestationService?: string;
  /** Base URL of the key broker, for `resource`. */
  readonly resourceServer?: string;
  /** How requests travel: the runtime's fetch, unless said. In Node, `createTlsExchange` checks CAs and pins. */
  readonly exchange?: HttpExchange;
  /** Policies of the attestation service that judge; none: its default. */
  readonly policyIds?: readonly string[];
  readonly teeKeyAlgorithm?: TeeKeyAlgorithm;
  /** Deadline, retries and pauses of each call. */
  readonly attempts?: AttemptOptions;
  /** By how much the clocks of service and client may differ; 60 unless said. */
  readonly skewSeconds?: number;
  readonly clock?: () => Date;
  readonly digester?: Digester;
}

/**
 * A client of attestation services and key brokers, for any program in any runtime: it needs `fetch` and WebCrypto.
 *
 * ```ts
 * const client = createClient({ attestationService: 'https://as.example', resourceServer: 'https://kbs.example' });
 * const token = await client.token(provider); // nonce, evidence, token, bound to a key that never left this process
 * const secret = await client.resource('kbs:///default/disk/passphrase', token);
 * ```
 *
 * Every call throws ClientError, whose `code` says what went wrong and whose `isTransient` whether a later call may go well;
 * its `statement` has the server's status, code and decision.
 */
export interface Client {
  /** A nonce for evidence of this TEE; of our own making where the service has none. */
  challenge(tee: string): Promise<string>;
  /**
   * A token for evidence that is there already: its TEE first, then its devices. Not tried again, because the nonce in it
   * works once, and not looked at: only the caller knows which key it was bound to.
   */
  attest(...requests: readonly [VerificationRequest, ...VerificationRequest[]]): Promise<string>;
  /** The whole of it: a key, a nonce, evidence bound to both, and a token that states the key. */
  token(provider: EvidenceProvider, options?: { readonly initDataToml?: string }): Promise<BoundToken>;
  /**
   * A resource by its URI, `kbs:///repository/type/tag`, opened. A token that has expired is an error, UNAUTHENTICATED: get
   * another. Throws ResourceUriError, TeeKeyError beside ClientError.
   */
  resource(uri: string, token: BoundToken): Promise<Uint8Array>;
}

const SKEW_SECONDS = 60;

export function createClient(options: ClientOptions): Client {
  const {
    exchange = createFetchExchange(globalThis.fetch.bind(globalThis)),
    attempts = USUAL_ATTEMPTS,
    clock = () => new Date(Date.now()),
  } = options;
  const serverAt = (url: string | undefined, name: string): Server => {
    if (url === undefined) {
      throw new ClientError('SERVER_NOT_CONFIGURED', `expected '${name}' in the client's options, got none`);
    }
    return { baseUrl: url.replace(/\/+$/, ''), exchange };
  };
  const service = (): Server => serverAt(options.attestationService, 'attestationService');
  const broker = (): Server => serverAt(options.resourceServer, 'resourceServer');
  return {
    challenge: async (tee) =>
      await withAttempts(async (signal) => await requestNonce(service(), tee, signal), attempts),
    attest: async (...requests) =>
      await withAttempts(
        async (signal) => await requestToken(service(), requests, options.policyIds ?? [], signal),
        { ...attempts, retries: 0 },
      ),
    async token(provider, { initDataToml } = {}) {
      const guest = {
        provider,
        initDataToml,
        teeKeyAlgorithm: options.teeKeyAlgorithm ?? 'ECDH-ES+A256KW-P256',
        digester: options.digester ?? webDigester,
        clock,
        skewSeconds: options.skewSeconds ?? SKEW_SECONDS,
      };
      return await fetchPassport(guest, { server: service(), policyIds: options.policyIds ?? [], attempts });
    },
    async resource(text, { token, key }) {
      const uri = parseResourceUri(text);
      const credentials = { headers: { authorization: `Bearer ${token}` }, key };
      return await withAttempts(
        async (signal) => await getOnce(uri, broker(), credentials, signal),
        attempts,
      );
    },
  };
}
