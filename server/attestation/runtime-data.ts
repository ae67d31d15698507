import canonicalize from 'canonicalize';
import { fromBase64Url, toBase64 } from '../bytes/encoding.ts';
import type { Json, JsonObject } from '../claims/claims.ts';
import { digest, type HashAlgorithm, isHashAlgorithm } from './hash-algorithm.ts';
import { AttestationRequestError } from './request-error.ts';

/** Runtime data as it came over the wire: absent, bytes to be found as they are, or a document to be found as its digest. */
export type RuntimeData = { readonly raw: string } | { readonly structured: Json } | undefined;

export interface BoundRuntimeData {
  /** What the evidence has to carry; undefined when the caller gave no runtime data. */
  readonly reportData: Uint8Array | undefined;
  /** The document that policies and tokens show; null when there was none. */
  readonly claims: Json;
  /** The nonce that the caller bound, as text, when there is one. Untrusted. */
  readonly nonce: string | undefined;
  /** The TEE's public key (JWK) that the caller bound. Untrusted: nobody has checked that it is a good key. */
  readonly teePublicKey: JsonObject | undefined;
}

/**
 * What the evidence has to carry for this runtime data. A structured document counts by the digest of its
 * canonical form (RFC 8785); raw bytes count as they are, unhashed.
 */
export function bindRuntimeData(data: RuntimeData, algorithmName: string | undefined): BoundRuntimeData {
  const algorithm = parseHashAlgorithm(algorithmName);
  if (data === undefined)
    return { reportData: undefined, claims: null, nonce: undefined, teePublicKey: undefined };
  if ('raw' in data) {
    const bytes = fromBase64Url(data.raw);
    return { reportData: bytes, claims: null, nonce: toBase64(bytes), teePublicKey: undefined };
  }
  return {
    reportData: digest(algorithm, canonicalJson(data.structured)),
    claims: data.structured,
    ...boundMembers(data.structured),
  };
}

/** Case does not matter here (it does in init data); sha384 when not said. */
function parseHashAlgorithm(name: string | undefined): HashAlgorithm {
  if (name === undefined) return 'sha384';
  const lowered = name.toLowerCase();
  if (isHashAlgorithm(lowered)) return lowered;
  throw new AttestationRequestError(
    'HASH_ALGORITHM_UNKNOWN',
    `expected runtime_data_hash_algorithm sha256, sha384, sha512 or sm3, got '${name.slice(0, 32)}'`,
  );
}

/** RFC 8785. What it has no form for (a lone surrogate, a number that is no IEEE double exactly) is refused. */
function canonicalJson(value: Json): string {
  assertExactNumbers(value);
  try {
    const text = canonicalize(value);
    if (text !== undefined) return text;
  } catch (cause) {
    throw notCanonical('text without lone surrogates', { cause });
  }
  throw notCanonical('a JSON value');
}

/** Two readers of an integer beyond 2^53 may canonicalise it differently (RFC 7493, section 2.2). */
function assertExactNumbers(value: Json): void {
  if (typeof value === 'number') {
    if (Number.isInteger(value) && !Number.isSafeInteger(value)) throw notCanonical('integers within ±2^53');
  } else if (value !== null && typeof value === 'object') {
    Object.values(value).forEach(assertExactNumbers);
  }
}

function notCanonical(expected: string, options?: ErrorOptions): AttestationRequestError {
  return new AttestationRequestError(
    'RUNTIME_DATA_NOT_CANONICAL',
    `expected structured runtime data of ${expected}, got some that RFC 8785 gives no one form`,
    options,
  );
}

function boundMembers(value: Json): Pick<BoundRuntimeData, 'nonce' | 'teePublicKey'> {
  if (!isJsonObject(value)) return { nonce: undefined, teePublicKey: undefined };
  const nonce = value['nonce'];
  const key = value['tee-pubkey'];
  return {
    nonce: typeof nonce === 'string' ? nonce : undefined,
    teePublicKey: key !== undefined && isJsonObject(key) ? key : undefined,
  };
}

function isJsonObject(value: Json): value is JsonObject {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}
