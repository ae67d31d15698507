import { createHmac, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { base64url, type JSONWebKeySet, SignJWT } from 'jose';
import type { JsonObject } from '../../server/claims/claims.ts';

/** The payload of a token; what is undefined is left out. */
export type TokenClaims = Readonly<Record<string, unknown>>;

/** Somebody who signs tokens: ES256, with a key of its own. */
export interface TokenIssuer {
  readonly keyId: string;
  readonly jwks: JSONWebKeySet;
  readonly publicPem: string;
  /** With members of the header that are to be different, and with another's key. */
  readonly sign: (
    payload: TokenClaims,
    header?: Readonly<Record<string, unknown>>,
    privateKey?: KeyObject,
  ) => Promise<string>;
}

export function createTokenIssuer(keyId: string): TokenIssuer {
  const own = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { kty, crv, x, y } = own.publicKey.export({ format: 'jwk' });
  return {
    keyId,
    jwks: { keys: [{ kty: kty!, crv: crv!, x: x!, y: y!, kid: keyId, alg: 'ES256' }] },
    publicPem: own.publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    sign: async (payload, header = {}, privateKey = own.privateKey) =>
      await new SignJWT({ ...payload })
        .setProtectedHeader({ alg: 'ES256', kid: keyId, ...header })
        .sign(privateKey),
  };
}

/** What an issuer says, for five minutes, of a guest that it affirms. */
export function affirmedClaims(issuer: string, guestKey: JsonObject, changes: TokenClaims): TokenClaims {
  const now = Math.floor(Date.now() / 1000);
  return {
    iss: issuer,
    eat_profile: 'tag:test,2026:ear',
    iat: now,
    nbf: now,
    exp: now + 300,
    submods: { cpu0: { 'ear.status': 'affirming' } },
    cnf: { jwk: guestKey },
    ...changes,
  };
}

/** The same token with one bit of its signature changed. */
export function withOtherSignature(token: string): string {
  const [header, payload, signature] = token.split('.') as [string, string, string];
  const bytes = Buffer.from(signature, 'base64url');
  bytes[40]! ^= 1;
  return `${header}.${payload}.${bytes.toString('base64url')}`;
}

/** A token in compact form with any signature, or none. */
export function joinToken(header: object, payload: object, signature = ''): string {
  return `${base64url.encode(JSON.stringify(header))}.${base64url.encode(JSON.stringify(payload))}.${signature}`;
}

/** A token with an HMAC (RFC 2104, SHA-256) in place of a signature. */
export function hmacToken(header: object, payload: object, secret: string): string {
  const text = joinToken(header, payload).slice(0, -1);
  return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
}
