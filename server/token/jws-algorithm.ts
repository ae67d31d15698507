import { constants, type KeyObject, verify } from 'node:crypto';
import { ecdsaSignatureToDer } from '../bytes/ecdsa-signature.ts';

/** One signature algorithm of JSON Web Signatures and the only kind of key that it goes with. */
interface JwsAlgorithm {
  readonly keyType: 'ec' | 'rsa' | 'ed25519';
  /** OpenSSL's name of the curve; only for `ec`. */
  readonly curve?: string;
  /** Undefined where the algorithm hashes by itself (Ed25519). */
  readonly hash: string | undefined;
  /** Exact length of the signature; RSA's is that of the modulus. */
  readonly signatureLength?: number;
  /** Length of the salt of RSASSA-PSS, which JWS fixes to the hash's (RFC 7518, section 3.5). */
  readonly saltLength?: number;
}

/** RFC 7518, section 3.1, and RFC 8037. What is not in this table is refused: `none` and every HMAC are not. */
const ALGORITHMS: ReadonlyMap<string, JwsAlgorithm> = new Map<string, JwsAlgorithm>([
  ['ES256', { keyType: 'ec', curve: 'prime256v1', hash: 'sha256', signatureLength: 64 }],
  ['ES384', { keyType: 'ec', curve: 'secp384r1', hash: 'sha384', signatureLength: 96 }],
  ['ES512', { keyType: 'ec', curve: 'secp521r1', hash: 'sha512', signatureLength: 132 }],
  ['RS256', { keyType: 'rsa', hash: 'sha256' }],
  ['RS384', { keyType: 'rsa', hash: 'sha384' }],
  ['RS512', { keyType: 'rsa', hash: 'sha512' }],
  ['PS256', { keyType: 'rsa', hash: 'sha256', saltLength: 32 }],
  ['PS384', { keyType: 'rsa', hash: 'sha384', saltLength: 48 }],
  ['PS512', { keyType: 'rsa', hash: 'sha512', saltLength: 64 }],
  ['EdDSA', { keyType: 'ed25519', hash: undefined, signatureLength: 64 }],
]);

/** The algorithms that a key of this type can be used with; empty for a key of no use to us. */
export function algorithmsFor(key: KeyObject): readonly string[] {
  return [...ALGORITHMS]
    .filter(
      ([, { keyType, curve }]) =>
        key.asymmetricKeyType === keyType && key.asymmetricKeyDetails?.namedCurve === curve,
    )
    .map(([name]) => name);
}

export function isJwsAlgorithm(name: string): boolean {
  return ALGORITHMS.has(name);
}

/**
 * Whether the signature over `signedBytes` is the key's. The caller has made sure that the key may be used with the
 * algorithm; an algorithm that is not in the table never verifies.
 */
export function isSignatureValid(
  algorithm: string,
  key: KeyObject,
  signedBytes: Uint8Array,
  signature: Uint8Array,
): boolean {
  const row = ALGORITHMS.get(algorithm);
  if (row === undefined || !algorithmsFor(key).includes(algorithm)) return false;
  if (row.signatureLength !== undefined && signature.byteLength !== row.signatureLength) return false;
  if (row.keyType === 'ec') return verify(row.hash, signedBytes, key, ecdsaSignatureToDer(signature));
  if (row.keyType === 'ed25519') return verify(row.hash, signedBytes, key, signature);
  return verify(row.hash, signedBytes, { key, ...paddingOf(row) }, signature);
}

function paddingOf({ saltLength }: JwsAlgorithm): { padding: number; saltLength?: number } {
  return saltLength === undefined
    ? { padding: constants.RSA_PKCS1_PADDING }
    : { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength };
}
