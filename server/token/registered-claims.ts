import type { Json, JsonObject } from '../claims/claims.ts';
import { toEpochSeconds } from '../clock.ts';
import { TokenError } from './token-error.ts';

/** The last second of the year 9999: a date beyond it is a mistake or a trick. */
const MAX_NUMERIC_DATE = 253_402_300_799;

/** Whomever the token is meant for. */
export const ANY_AUDIENCE: unique symbol = Symbol('any audience');

/** What the registered claims of a token (RFC 7519, section 4.1) have to say. */
export interface ExpectedClaims {
  /** Undefined: not asked for. */
  readonly issuer: string | undefined;
  /** The verifier's own name; undefined: it has none, and the token must not be meant for anybody. */
  readonly audience: string | typeof ANY_AUDIENCE | undefined;
  /** By how much the clocks of issuer and verifier may differ. */
  readonly leewaySeconds: number;
}

/**
 * Checks issuer, audience and times of verified claims, and returns when they end. A token that is meant for somebody
 * (`aud`) is not accepted by a verifier without a name of its own, as RFC 7519, section 4.1.3, demands.
 * Throws TokenError.
 */
export function checkRegisteredClaims(claims: JsonObject, expected: ExpectedClaims, at: Date): Date {
  if (expected.issuer !== undefined && claims['iss'] !== expected.issuer) {
    throw new TokenError('TOKEN_ISSUER_UNTRUSTED', "expected the token's 'iss' to be a trusted issuer");
  }
  checkAudience(claims['aud'], expected.audience);
  return checkTimes(claims, expected.leewaySeconds, toEpochSeconds(at));
}

function checkAudience(audience: Json | undefined, expected: ExpectedClaims['audience']): void {
  if (expected === ANY_AUDIENCE) return;
  if (audience === undefined && expected === undefined) return;
  const named: readonly Json[] = Array.isArray(audience) ? audience : [audience ?? null];
  if (expected !== undefined && named.includes(expected)) return;
  throw new TokenError(
    'TOKEN_AUDIENCE_MISMATCH',
    `expected a token for ${expected === undefined ? 'any audience' : `'${expected}'`}, got one for another`,
  );
}

function checkTimes(claims: JsonObject, leeway: number, now: number): Date {
  const expiry = numericDate(claims, 'exp');
  if (expiry === undefined) throw malformed('exp');
  if (now >= expiry + leeway) {
    throw new TokenError(
      'TOKEN_EXPIRED',
      `expected a token that is valid now, got one that ended at ${expiry}`,
    );
  }
  for (const name of ['nbf', 'iat']) {
    const start = numericDate(claims, name);
    if (start !== undefined && start > now + leeway) {
      throw new TokenError('TOKEN_NOT_YET_VALID', `expected a token that is valid now, got ${name} ${start}`);
    }
  }
  return new Date(expiry * 1000);
}

function numericDate(claims: JsonObject, name: string): number | undefined {
  const value = claims[name];
  if (value === undefined) return undefined;
  if (typeof value !== 'number' || !(value >= 0 && value <= MAX_NUMERIC_DATE)) throw malformed(name);
  return value;
}

function malformed(name: string): TokenError {
  return new TokenError(
    'TOKEN_CLAIM_MALFORMED',
    `expected the token's '${name}' to be a time in seconds, got something else`,
  );
}
