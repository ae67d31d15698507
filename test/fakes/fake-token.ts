import type { JsonObject } from '../../server/claims/claims.ts';

/** A token as it looks to a guest, which does not check signatures. */
export function fakeToken(claims: object): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part({ alg: 'ES256' })}.${part(claims)}.${Buffer.alloc(64).toString('base64url')}`;
}

/** The claims of a token that is bound to the key, from a second to five minutes from the moment. */
export function boundClaims(key: JsonObject, at: Date, lifetimeSeconds = 300): JsonObject {
  const now = Math.floor(at.getTime() / 1000);
  return { iat: now, nbf: now, exp: now + lifetimeSeconds, cnf: { jwk: key } };
}
