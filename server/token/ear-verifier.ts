import type { JsonObject } from '../claims/claims.ts';
import { CouldNotCheckError } from '../errors/could-not-check-error.ts';
import { JwsReader, type ReadJws } from './jws-reader.ts';
import type { KeySource } from './key-source.ts';
import { checkRegisteredClaims } from './registered-claims.ts';
import { TokenError, type TokenErrorCode } from './token-error.ts';

declare const proof: unique symbol;

/** An attestation service whose tokens are believed. Several may bear one name; each has keys of its own. */
export interface TrustedIssuer {
  /** Exactly the tokens' `iss`. */
  readonly issuer: string;
  /** The name under which the issuer knows us: must be among `aud`. Undefined: its tokens must name no audience. */
  readonly audience: string | undefined;
  /** The acceptable values of `eat_profile`; undefined: not asked for. */
  readonly profiles: readonly string[] | undefined;
  readonly keys: KeySource;
}

/** Claims whose signature, issuer, audience, profile and times have been checked. Only `verifyEar` makes them. */
export type VerifiedClaims = JsonObject & { readonly [proof]: 'signature' };

export interface VerifiedToken {
  readonly claims: VerifiedClaims;
  readonly issuer: string;
  /** The token's identity (`jti`): never its text, which an ECDSA signature leaves room to vary. */
  readonly id: string | undefined;
  readonly expiresAt: Date;
}

export interface EarVerifierOptions {
  readonly issuers: readonly TrustedIssuer[];
  readonly leewaySeconds?: number;
}

/** Checks an attestation token. Throws TokenError when it is bad, CouldNotCheckError when that cannot be found out. */
export type VerifyEar = (token: string, at: Date) => Promise<VerifiedToken>;

/** The leeway of upstream's key broker. */
const DEFAULT_LEEWAY_SECONDS = 60;

/**
 * The attestation tokens that a key broker believes: JWS in compact form (RFC 7515) of the trusted issuers, EAR
 * (draft-ietf-rats-ear) or another vendor's. The issuer that a token names decides with whose keys it is verified.
 */
export function createEarVerifier({ issuers, leewaySeconds }: EarVerifierOptions): VerifyEar {
  const reader = new JwsReader();
  const leeway = leewaySeconds ?? DEFAULT_LEEWAY_SECONDS;
  return async (token, at) => {
    const read = reader.read(token);
    const trusted = issuers.filter(({ issuer }) => issuer === read.jws.payload['iss']);
    return await firstAccepted(trusted, async (issuer) => await verifyAs(issuer, read, leeway, at));
  };
}

async function verifyAs(
  { issuer, audience, profiles, keys }: TrustedIssuer,
  token: ReadJws,
  leewaySeconds: number,
  at: Date,
): Promise<VerifiedToken> {
  token.verify(await keys.candidates(token.jws, at));
  const claims = token.jws.payload;
  const expiresAt = checkRegisteredClaims(claims, { issuer, audience, leewaySeconds }, at);
  checkProfile(claims, profiles);
  const id = claims['jti'];
  return { claims: claims as VerifiedClaims, issuer, id: typeof id === 'string' ? id : undefined, expiresAt };
}

function checkProfile(claims: JsonObject, profiles: readonly string[] | undefined): void {
  const profile = claims['eat_profile'];
  if (profiles === undefined || (typeof profile === 'string' && profiles.includes(profile))) return;
  throw new TokenError(
    'TOKEN_PROFILE_NOT_ALLOWED',
    `expected a token of profile ${profiles.join(' or ')}, got another`,
  );
}

/** How far a token came before it was refused: of several refusals the one that came farthest is the useful one. */
const NOT_ITS_ISSUER: ReadonlySet<TokenErrorCode> = new Set([
  'TOKEN_KEY_UNKNOWN',
  'TOKEN_KEY_NOT_ENDORSED',
  'TOKEN_ALGORITHM_MISMATCH',
  'TOKEN_SIGNATURE_INVALID',
]);

/**
 * The verdict of the issuer that accepts. Otherwise the refusal of the one whose signature it is; else "could not
 * check" when that is what one of them said; else the last refusal.
 */
async function firstAccepted(
  issuers: readonly TrustedIssuer[],
  verify: (issuer: TrustedIssuer) => Promise<VerifiedToken>,
): Promise<VerifiedToken> {
  let refusal: TokenError | CouldNotCheckError | undefined;
  for (const issuer of issuers) {
    try {
      return await verify(issuer);
    } catch (error) {
      if (error instanceof TokenError && !NOT_ITS_ISSUER.has(error.code)) throw error;
      if (error instanceof CouldNotCheckError) refusal = error;
      else if (!(error instanceof TokenError)) throw error;
      else if (!(refusal instanceof CouldNotCheckError)) refusal = error;
    }
  }
  throw (
    refusal ?? new TokenError('TOKEN_ISSUER_UNTRUSTED', "expected the token's 'iss' to be a trusted issuer")
  );
}
