import { z } from 'zod';
import type { Json, JsonObject } from '../../claims/claims.ts';
import { exactJson, type HostBuiltin } from './host-builtin.ts';
import { isMacValid, isSignedByAny, readToken, type Token } from './jwt-builtins.ts';
import { readTokenKeys, type TokenKey } from './jwt-keys.ts';

const constraintsSchema = z.strictObject({
  cert: z.string().optional(),
  secret: z.string().min(1).optional(),
  alg: z.string().optional(),
  iss: z.string().optional(),
  aud: z.string().optional(),
  /** Nanoseconds since 1970. */
  time: z.number().min(0).optional(),
});
type Constraints = z.infer<typeof constraintsSchema>;

const UNVERIFIED: Json = [false, {}, {}];

/**
 * `io.jwt.decode_verify`: signature, algorithm, issuer, audience and times against the policy's constraints. Undefined
 * when the token or the constraints are malformed; a token that wraps another token (`cty: JWT`) is not verified.
 */
export function decodeVerifyBuiltin(now: () => Date): HostBuiltin {
  return (text, wanted) => {
    const constraints = constraintsSchema.safeParse(wanted);
    const token = typeof text === 'string' ? readToken(text) : undefined;
    if (token === undefined || !constraints.success) return undefined;
    const keys = readKeys(constraints.data);
    if (keys === undefined) return undefined;
    const seconds =
      constraints.data.time === undefined ? now().getTime() / 1000 : constraints.data.time / 1e9;
    const isGood =
      isHeaderAcceptable(token.header, constraints.data) &&
      isSigned(token, keys) &&
      areClaimsAcceptable(token.payload, constraints.data, seconds);
    return isGood ? exactJson(`[true,${token.headerText},${token.payloadText}]`) : UNVERIFIED;
  };
}

/** Exactly one of a certificate (or key) and a secret. */
function readKeys({ cert, secret }: Constraints): readonly TokenKey[] | string | undefined {
  if (cert === undefined) return secret;
  return secret === undefined ? readTokenKeys(cert) : undefined;
}

/** RFC 7515, section 4.1.11: an extension that is critical and not understood refuses the token. We understand none. */
function isHeaderAcceptable(header: JsonObject, { alg }: Constraints): boolean {
  const { alg: algorithm, crit, cty } = header;
  if (typeof algorithm !== 'string' || crit !== undefined) return false;
  if (typeof cty === 'string' && cty.toUpperCase() === 'JWT') return false;
  return alg === undefined || alg === '' || alg === algorithm;
}

function isSigned(token: Token, keys: readonly TokenKey[] | string): boolean {
  const { alg: algorithm } = token.header;
  if (typeof algorithm !== 'string') return false;
  return typeof keys === 'string'
    ? isMacValid(token, algorithm, keys)
    : isSignedByAny(token, algorithm, keys);
}

function areClaimsAcceptable(
  { iss, aud, exp, nbf }: JsonObject,
  wanted: Constraints,
  seconds: number,
): boolean {
  const isIssuerWanted = wanted.iss === undefined || wanted.iss === '' || iss === wanted.iss;
  return (
    isIssuerWanted &&
    isAudienceAcceptable(aud, wanted.aud ?? '') &&
    isTime(exp, (time) => seconds < time) &&
    isTime(nbf, (time) => seconds >= time)
  );
}

/** An audience that the policy did not ask about does not pass. */
function isAudienceAcceptable(audience: Json | undefined, wanted: string): boolean {
  if (audience === undefined) return wanted === '';
  return Array.isArray(audience) ? audience.includes(wanted) : audience === wanted;
}

/** Absent, or a number for which the condition holds. */
function isTime(claim: Json | undefined, holds: (time: number) => boolean): boolean {
  return claim === undefined || (typeof claim === 'number' && holds(claim));
}
