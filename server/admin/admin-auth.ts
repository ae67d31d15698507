import type { Json, JsonObject } from '../claims/claims.ts';
import { CouldNotCheckError } from '../errors/could-not-check-error.ts';
import { JwsReader, type ReadJws } from '../token/jws-reader.ts';
import type { KeySource } from '../token/key-source.ts';
import { ANY_AUDIENCE, checkRegisteredClaims, type ExpectedClaims } from '../token/registered-claims.ts';
import { TokenError } from '../token/token-error.ts';
import { type AccessRule, compileAcl } from './acl.ts';
import { AdminConfigurationError, AdminError } from './admin-error.ts';

/** Who may name administrators. */
export interface IdentityProvider {
  /** The tokens' `iss` and one of their `aud`; undefined: not asked for, as upstream leaves it open. */
  readonly issuer: string | undefined;
  readonly audience: string | undefined;
  readonly keys: KeySource;
}

export type AdminAuthOptions =
  | { readonly mode: 'deny-all' }
  | {
      readonly mode: 'bearer-jwt';
      readonly identityProviders: readonly IdentityProvider[];
      readonly acls: readonly AccessRule[];
    };

/** Somebody who was allowed to do what was asked. */
export interface Administrator {
  readonly subject: string;
  readonly role: string;
}

export interface AdminRequest {
  /** The `Authorization` header as it came. */
  readonly authorization: string | undefined;
  /** The decoded, normalised path, without a query: what the request will be taken to mean. */
  readonly path: string;
}

export type AuthorizeAdmin = (request: AdminRequest, at: Date) => Promise<Administrator>;

const LEEWAY_SECONDS = 60;
const BEARER = /^Bearer +([^\s]+)$/i;
const MAX_ROLES = 32;
/** Claims of attestation tokens: a guest is no administrator, whatever else its token says. */
const GUEST_CLAIMS = ['submods', 'eat_profile', 'ear.verifier-id'] as const;

/**
 * Tells administrators by their signed tokens and lets their roles use the endpoints of the rules. Throws
 * AdminConfigurationError at once; the function it returns throws AdminError, or CouldNotCheckError when a provider's
 * keys cannot be had.
 */
export function createAdminAuth(options: AdminAuthOptions): AuthorizeAdmin {
  if (options.mode === 'deny-all') {
    return async () => {
      throw new AdminError('ADMIN_ACCESS_DISABLED', 'DenyAll authorization_mode is enabled');
    };
  }
  const { identityProviders } = options;
  if (identityProviders.length === 0) {
    throw new AdminConfigurationError(
      'ADMIN_PROVIDERS_MISSING',
      'expected at least one identity provider for administrators, got none',
    );
  }
  const allowedRole = compileAcl(options.acls);
  const reader = new JwsReader();
  return async ({ authorization, path }, at) => {
    const { subject, roles } = await identify(readBearer(authorization, reader), identityProviders, at);
    const role = allowedRole(roles, path);
    if (role === undefined) {
      throw new AdminError(
        'ADMIN_ROLE_NOT_ALLOWED',
        `Role ${printable(roles[0])} not allowed for path ${printable(path)}`,
      );
    }
    return { subject, role };
  };
}

interface Identity {
  readonly subject: string;
  readonly roles: readonly [string, ...string[]];
}

function readBearer(authorization: string | undefined, reader: JwsReader): ReadJws {
  const token = authorization === undefined ? undefined : BEARER.exec(authorization)?.[1];
  if (token === undefined) {
    throw new AdminError(
      'ADMIN_TOKEN_MISSING',
      "expected an 'Authorization: Bearer' header with an administrator's token",
    );
  }
  try {
    return reader.read(token);
  } catch (cause) {
    throw cause instanceof TokenError ? refused(cause) : cause;
  }
}

/** The first provider that accepts the token. One that cannot be asked turns a refusal into "could not check". */
async function identify(token: ReadJws, providers: readonly IdentityProvider[], at: Date): Promise<Identity> {
  let reason: Error | undefined;
  for (const provider of providers) {
    try {
      return await identifyBy(provider, token, at);
    } catch (error) {
      if (error instanceof CouldNotCheckError) reason = error;
      else if (!(error instanceof TokenError)) throw error;
      else if (!(reason instanceof CouldNotCheckError)) reason = error;
    }
  }
  throw reason instanceof CouldNotCheckError ? reason : refused(reason);
}

async function identifyBy(
  { issuer, audience, keys }: IdentityProvider,
  token: ReadJws,
  at: Date,
): Promise<Identity> {
  token.verify(await keys.candidates(token.jws, at));
  const claims = token.jws.payload;
  const expected: ExpectedClaims = {
    issuer,
    audience: audience ?? ANY_AUDIENCE,
    leewaySeconds: LEEWAY_SECONDS,
  };
  checkRegisteredClaims(claims, expected, at);
  if (GUEST_CLAIMS.some((name) => claims[name] !== undefined)) {
    throw new TokenError('TOKEN_CLAIM_MALFORMED', "expected an administrator's token, got a guest's");
  }
  const subject = claims['sub'] ?? claims['iss'];
  return { subject: typeof subject === 'string' ? printable(subject) : 'unnamed', roles: rolesOf(claims) };
}

function rolesOf(claims: JsonObject): readonly [string, ...string[]] {
  const role: Json | undefined = claims['role'];
  const roles: readonly unknown[] = Array.isArray(role) ? role : [role];
  const [first, ...others] = roles.filter((one) => typeof one === 'string');
  if (first === undefined || others.length + 1 !== roles.length || roles.length > MAX_ROLES) {
    throw new TokenError(
      'TOKEN_CLAIM_MALFORMED',
      "expected the token's 'role' to be a name or a list of names",
    );
  }
  return [first, ...others];
}

/** The reason goes into the message too: it tells the administrator which of the providers' demands was not met. */
function refused(reason: Error | undefined): AdminError {
  return new AdminError(
    'ADMIN_TOKEN_REFUSED',
    `Cannot verify token with any of the issuers${reason === undefined ? '' : `: ${reason.message}`}`,
    { cause: reason },
  );
}

/** What a caller chose is shown on one line and in part. */
function printable(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, 200);
}
