import { createPublicKey, type KeyObject } from 'node:crypto';
import type { Json, JsonObject } from '../claims/claims.ts';
import { isJsonObject } from '../protocol/json-object.ts';
import { publicMembers, thumbprintOf } from './jwk-thumbprint.ts';
import { algorithmsFor } from './jws-algorithm.ts';
import { KeyError } from './token-error.ts';

const MIN_RSA_BITS = 2048;
/** More keys than any issuer publishes at a time. */
const MAX_KEYS = 64;

/** A public key that signatures are verified with, and the algorithms that it may be used with. */
export interface VerificationKey {
  readonly keyId: string | undefined;
  /** RFC 7638. */
  readonly thumbprint: string;
  readonly algorithms: readonly string[];
  readonly key: KeyObject;
}

/**
 * Reads one public JWK (RFC 7517). A JWK that names its algorithm is used with that one only, otherwise with those of
 * its family. Throws KeyError: KEY_MALFORMED, KEY_UNSUPPORTED.
 */
export function parseVerificationKey(jwk: JsonObject): VerificationKey {
  assertForSignatures(jwk);
  const key = importJwk(jwk);
  return {
    keyId: typeof jwk['kid'] === 'string' ? jwk['kid'] : undefined,
    thumbprint: thumbprintOf(jwk),
    algorithms: allowedAlgorithms(key, jwk['alg']),
    key,
  };
}

/** Reads a public key in PEM (SPKI). It has no id and may be used with every algorithm of its family. */
export function parsePemKey(pem: string): VerificationKey {
  let key: KeyObject;
  let jwk: Readonly<Record<string, unknown>>;
  try {
    key = createPublicKey(pem);
    jwk = { ...key.export({ format: 'jwk' }) };
  } catch (cause) {
    throw new KeyError(
      'KEY_MALFORMED',
      'expected a public key in PEM that signs tokens, got something else',
      { cause },
    );
  }
  return {
    keyId: undefined,
    thumbprint: thumbprintOf(jwk),
    algorithms: allowedAlgorithms(key, undefined),
    key,
  };
}

/**
 * The usable keys of a key set `{"keys": […]}` (RFC 7517, section 5, which says to pass over those that one does not
 * understand). Throws KeyError KEY_SET_MALFORMED when it is no set or has no usable key.
 */
export function parseKeySet(document: unknown): readonly VerificationKey[] {
  const keys = keysMember(document);
  const usable = keys.flatMap((jwk) => usableKey(jwk));
  if (usable.length === 0) {
    throw new KeyError(
      'KEY_SET_MALFORMED',
      `expected a key set with a usable key, got ${keys.length} others`,
    );
  }
  return usable;
}

function keysMember(document: unknown): readonly unknown[] {
  const keys =
    document !== null && typeof document === 'object' && 'keys' in document ? document.keys : undefined;
  if (!Array.isArray(keys) || keys.length > MAX_KEYS) {
    throw new KeyError('KEY_SET_MALFORMED', `expected a key set of at most ${MAX_KEYS} keys`);
  }
  return keys;
}

function usableKey(jwk: unknown): readonly VerificationKey[] {
  if (!isJsonObject(jwk)) return [];
  try {
    return [parseVerificationKey(jwk)];
  } catch (error) {
    if (error instanceof KeyError) return [];
    throw error;
  }
}

function assertForSignatures(jwk: JsonObject): void {
  const operations = jwk['key_ops'];
  const isForVerifying = !Array.isArray(operations) || operations.includes('verify');
  if ((jwk['use'] ?? 'sig') !== 'sig' || !isForVerifying) {
    throw new KeyError('KEY_UNSUPPORTED', 'expected a key for signatures, got one for another use');
  }
}

function importJwk(jwk: JsonObject): KeyObject {
  const members = publicMembers(jwk);
  try {
    return createPublicKey({ key: members, format: 'jwk' });
  } catch (cause) {
    throw new KeyError('KEY_MALFORMED', `expected a ${members['kty'] ?? ''} key, got one that is none`, {
      cause,
    });
  }
}

function allowedAlgorithms(key: KeyObject, named: Json | undefined): readonly string[] {
  const bits = key.asymmetricKeyDetails?.modulusLength;
  if (bits !== undefined && bits < MIN_RSA_BITS) {
    throw new KeyError(
      'KEY_UNSUPPORTED',
      `expected an RSA key of at least ${MIN_RSA_BITS} bits, got ${bits}`,
    );
  }
  const family = algorithmsFor(key);
  const allowed = named === undefined ? family : family.filter((algorithm) => algorithm === named);
  if (allowed.length === 0) {
    throw new KeyError('KEY_UNSUPPORTED', 'expected a key for one of our algorithms, got one for another');
  }
  return allowed;
}
