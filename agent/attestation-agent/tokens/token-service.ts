import { fetchPassport } from '../../attestation-service-client/passport.ts';
import { boundTokenText, fingerprintOf } from '../../binding/bound-token-text.ts';
import { type LifetimeOptions, usableUntil } from '../../binding/token-lifetime.ts';
import type { BoundToken } from '../../binding/token-on-arrival.ts';
import type { Guest } from '../../guest.ts';
import type { AttemptOptions } from '../../http/attempts.ts';
import type { Server } from '../../http/server.ts';
import {
  bearerCredentials,
  type ObtainCredentials,
  sessionCredentials,
} from '../../kbs-client/credentials.ts';
import { type AttestedSession, attestByHandshake } from '../../kbs-client/handshake.ts';
import { createRenewable, type Renewable } from '../../renewable.ts';
import { readTokenFile } from './token-file.ts';
import { AgentTokenError, parseTokenType, type TokenType } from './token-type.ts';

export interface AttestationServiceEntry {
  readonly server: Server;
  /** Which policies judge there; none: the service's default. */
  readonly policyIds?: readonly string[];
}

/** Where the token for a resource server comes from. */
export type TokenSource =
  /** The server has the evidence checked itself: RCAR. */
  | { readonly kind: 'background-check' }
  /** A passport of the attestation service of this name. */
  | { readonly kind: 'passport'; readonly attestationService: string }
  /** Token and key were put into a file, in the form of a `kbs` token; read anew when it ends. */
  | { readonly kind: 'file'; readonly readText: () => Promise<string> };

export interface ResourceServerEntry {
  readonly server: Server;
  readonly tokenSource: TokenSource;
}

export interface TokenServiceOptions {
  readonly guest: Guest;
  /** By name; `default` is the one that `coco_as` means. */
  readonly attestationServices: ReadonlyMap<string, AttestationServiceEntry>;
  /** By `host[:port]`; the empty host is the default server, which `kbs` means. */
  readonly resourceServers: ReadonlyMap<string, ResourceServerEntry>;
  readonly renewBeforeSeconds?: number;
  readonly attempts?: AttemptOptions | undefined;
}

export interface TokenService {
  /**
   * What GetToken answers: for `coco_as` the token as text, for `kbs` and `coco_as_bound` JSON of token and key.
   * Throws AgentTokenError, ClientError, and what the attester throws.
   */
  getToken(type: string): Promise<string>;
  /** For whoever fetches resources in this process. Throws AgentTokenError TOKEN_SOURCE_NOT_CONFIGURED. */
  credentialsFor(host: string): ObtainCredentials;
}

const RENEW_BEFORE_SECONDS = 30;

/**
 * Tokens of every service and server that the guest is configured for: each is fetched when it is first needed, serves until
 * shortly before its end, and is bound to a key of its own. However many ask, one request a source is on its way.
 */
export function createTokenService(options: TokenServiceOptions): TokenService {
  const { guest, attempts, renewBeforeSeconds = RENEW_BEFORE_SECONDS } = options;
  const lifetime: LifetimeOptions = { renewBeforeSeconds, skewSeconds: guest.skewSeconds };
  const passports = mapValues(options.attestationServices, (entry) =>
    renewTokens(async () => await fetchPassport(guest, { ...entry, attempts }), guest, lifetime),
  );
  const servers = mapValues(options.resourceServers, (entry) =>
    openSource(entry, { guest, attempts, lifetime, passports }),
  );

  const tokensOf = ({ source }: TokenType): Renewable<BoundToken> =>
    source.kind === 'attestation-service'
      ? configured(passports.get(source.name), `an attestation service named '${source.name}'`)
      : serverFor(source.host).tokens;
  const serverFor = (host: string): OpenSource =>
    configured(servers.get(host), host === '' ? 'a default resource server' : `a resource server '${host}'`);

  return {
    async getToken(text) {
      const type = parseTokenType(text);
      const token = await tokensOf(type)((current) => fingerprintOf(current) === type.except);
      return type.form === 'bare' ? token.token : boundTokenText(token);
    },
    credentialsFor: (host) => serverFor(host).obtain,
  };
}

interface OpenSource {
  readonly tokens: Renewable<BoundToken>;
  readonly obtain: ObtainCredentials;
}

interface SourceContext extends Pick<TokenServiceOptions, 'guest' | 'attempts'> {
  readonly lifetime: LifetimeOptions;
  readonly passports: ReadonlyMap<string, Renewable<BoundToken>>;
}

function openSource(
  { server, tokenSource }: ResourceServerEntry,
  { guest, attempts, lifetime, passports }: SourceContext,
): OpenSource {
  switch (tokenSource.kind) {
    case 'background-check': {
      const sessions = createRenewable<AttestedSession>({
        obtain: async () => await attestByHandshake(guest, { server, attempts }),
        usableUntil: ({ token }, receivedAt) => usableUntil(token, receivedAt, lifetime),
        clock: guest.clock,
      });
      const tokens: Renewable<BoundToken> = async (isRefused = () => false) =>
        (await sessions(({ token }) => isRefused(token))).token;
      return { tokens, obtain: sessionCredentials(sessions) };
    }
    case 'passport': {
      const { attestationService: name } = tokenSource;
      const tokens = configured(passports.get(name), `an attestation service named '${name}'`);
      return { tokens, obtain: bearerCredentials(tokens) };
    }
    case 'file': {
      const { readText } = tokenSource;
      const tokens = renewTokens(async () => await readTokenFile(readText, guest), guest, lifetime);
      return { tokens, obtain: bearerCredentials(tokens) };
    }
  }
}

function renewTokens(
  obtain: () => Promise<BoundToken>,
  { clock }: Guest,
  lifetime: LifetimeOptions,
): Renewable<BoundToken> {
  return createRenewable({
    obtain,
    usableUntil: (token, receivedAt) => usableUntil(token, receivedAt, lifetime),
    clock,
  });
}

function configured<T>(found: T | undefined, what: string): T {
  if (found !== undefined) return found;
  throw new AgentTokenError('TOKEN_SOURCE_NOT_CONFIGURED', `expected ${what} in the configuration, got none`);
}

function mapValues<T, U>(map: ReadonlyMap<string, T>, make: (value: T) => U): ReadonlyMap<string, U> {
  return new Map([...map].map(([name, value]) => [name, make(value)]));
}
