import { createPublicKey, type JsonWebKey, type KeyObject, X509Certificate } from 'node:crypto';
import { parseJson } from '../../json/strict-json.ts';

/** A public key that a policy gives to verify tokens with. */
export interface TokenKey {
  readonly key: KeyObject;
  readonly algorithm: string | undefined;
  readonly keyId: string | undefined;
}

const MAX_KEYS = 64;

/**
 * The keys in one PEM certificate, one PEM public key (SPKI), a JWK or a JWK set; `undefined` when it is none of these.
 * A certificate is only a way to write down a key: its validity is not looked at, as OPA does not either.
 */
export function readTokenKeys(text: string): readonly TokenKey[] | undefined {
  try {
    return text.trimStart().startsWith('-----BEGIN ') ? [readPem(text)] : readJwks(parseJson(text));
  } catch {
    return undefined; // not a key, in the one way or another: there is nothing to verify with
  }
}

function readPem(text: string): TokenKey {
  const key = text.includes('-----BEGIN CERTIFICATE-----')
    ? new X509Certificate(text).publicKey
    : createPublicKey(text);
  return { key, algorithm: undefined, keyId: undefined };
}

function readJwks(document: unknown): readonly TokenKey[] | undefined {
  if (typeof document !== 'object' || document === null) return undefined;
  const keys: readonly unknown[] =
    'keys' in document && Array.isArray(document.keys) ? document.keys : [document];
  return keys.length > MAX_KEYS ? undefined : keys.map(readJwk);
}

function readJwk(jwk: unknown): TokenKey {
  if (!isJwk(jwk) || jwk.kty === 'oct') throw new TypeError('expected a public JWK');
  const { alg, kid } = jwk;
  return {
    key: createPublicKey({ key: jwk, format: 'jwk' }),
    algorithm: typeof alg === 'string' ? alg : undefined,
    keyId: typeof kid === 'string' ? kid : undefined,
  };
}

function isJwk(value: unknown): value is JsonWebKey {
  return typeof value === 'object' && value !== null && 'kty' in value && typeof value.kty === 'string';
}
