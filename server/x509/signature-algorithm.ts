import { constants, type KeyObject, verify } from 'node:crypto';
import type { DerReader } from './der-reader.ts';
import { X509Error } from './x509-error.ts';

type Hash = 'sha256' | 'sha384' | 'sha512';

/** How a certificate or a revocation list is signed. Only `readSignatureAlgorithm` makes one. */
export interface SignatureAlgorithm {
  readonly scheme: 'rsa-pkcs1' | 'rsa-pss' | 'ecdsa' | 'ed25519';
  readonly hash: Hash | undefined;
}

/** RFC 8017, 5758, 8410. What is not in this table is refused: MD5 and SHA-1 among it. */
const ALGORITHMS: ReadonlyMap<string, SignatureAlgorithm> = new Map([
  ['1.2.840.113549.1.1.11', { scheme: 'rsa-pkcs1', hash: 'sha256' }],
  ['1.2.840.113549.1.1.12', { scheme: 'rsa-pkcs1', hash: 'sha384' }],
  ['1.2.840.113549.1.1.13', { scheme: 'rsa-pkcs1', hash: 'sha512' }],
  ['1.2.840.10045.4.3.2', { scheme: 'ecdsa', hash: 'sha256' }],
  ['1.2.840.10045.4.3.3', { scheme: 'ecdsa', hash: 'sha384' }],
  ['1.2.840.10045.4.3.4', { scheme: 'ecdsa', hash: 'sha512' }],
  ['1.3.101.112', { scheme: 'ed25519', hash: undefined }],
]);
const RSA_PSS = '1.2.840.113549.1.1.10';
const MGF1 = '1.2.840.113549.1.1.8';
const HASHES: ReadonlyMap<string, { readonly hash: Hash; readonly length: bigint }> = new Map([
  ['2.16.840.1.101.3.4.2.1', { hash: 'sha256', length: 32n }],
  ['2.16.840.1.101.3.4.2.2', { hash: 'sha384', length: 48n }],
  ['2.16.840.1.101.3.4.2.3', { hash: 'sha512', length: 64n }],
]);
const CURVES: ReadonlySet<string | undefined> = new Set(['prime256v1', 'secp384r1', 'secp521r1']);
const MIN_RSA_BITS = 2048;
const MAX_RSA_BITS = 8192;

/**
 * Reads the content of an AlgorithmIdentifier (RFC 5280, section 4.1.1.2).
 * Throws X509Error CERTIFICATE_ALGORITHM_UNSUPPORTED, MalformedError when it is not DER.
 */
export function readSignatureAlgorithm(reader: DerReader): SignatureAlgorithm {
  const oid = reader.oid();
  if (oid === RSA_PSS) return readPssParameters(reader.sequence());
  const algorithm = ALGORITHMS.get(oid);
  if (algorithm === undefined) throw unsupported(`signature algorithm ${oid}`);
  if (!reader.atEnd) reader.null();
  reader.end();
  return algorithm;
}

/**
 * Whether `key` made `signature` over `data` with `algorithm`. A key of another type, an RSA key outside 2048 to 8192 bits
 * or another curve is CERTIFICATE_ALGORITHM_UNSUPPORTED.
 */
export function verifySignature(
  algorithm: SignatureAlgorithm,
  key: KeyObject,
  data: Uint8Array,
  signature: Uint8Array,
): boolean {
  switch (algorithm.scheme) {
    case 'rsa-pkcs1':
      requireRsa(key);
      return verify(algorithm.hash, data, { key, padding: constants.RSA_PKCS1_PADDING }, signature);
    case 'rsa-pss':
      requireRsa(key);
      return verify(
        algorithm.hash,
        data,
        { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST },
        signature,
      );
    case 'ecdsa':
      if (key.asymmetricKeyType !== 'ec' || !CURVES.has(key.asymmetricKeyDetails?.namedCurve)) {
        throw unsupported('an ECDSA signature with a key that is not P-256, P-384 or P-521');
      }
      return verify(algorithm.hash, data, { key, dsaEncoding: 'der' }, signature);
    case 'ed25519':
      if (key.asymmetricKeyType !== 'ed25519') throw unsupported('an Ed25519 signature with another key');
      return verify(undefined, data, key, signature);
  }
}

/** RFC 4055, RSASSA-PSS-params: the same hash throughout, a salt of its length, the one trailer that exists. */
function readPssParameters(reader: DerReader): SignatureAlgorithm {
  // Absent members stand for SHA-1 and a salt of 20 bytes.
  if (!reader.isExplicit(0)) throw unsupported('RSA-PSS with SHA-1');
  const hash = readHash(reader.explicit(0).sequence());
  const mask = reader.explicit(1).sequence();
  const maskOid = mask.oid();
  const maskHash = readHash(mask.sequence());
  mask.end();
  const saltLength = reader.isExplicit(2) ? reader.explicit(2).integer() : 20n;
  const trailer = reader.isExplicit(3) ? reader.explicit(3).integer() : 1n;
  reader.end();
  const isUsual =
    maskOid === MGF1 && maskHash.hash === hash.hash && saltLength === hash.length && trailer === 1n;
  if (!isUsual) throw unsupported('RSA-PSS with mixed hashes or an unusual salt');
  return { scheme: 'rsa-pss', hash: hash.hash };
}

function readHash(reader: DerReader): { readonly hash: Hash; readonly length: bigint } {
  const oid = reader.oid();
  if (!reader.atEnd) reader.null();
  reader.end();
  const hash = HASHES.get(oid);
  if (hash === undefined) throw unsupported(`hash ${oid}`);
  return hash;
}

function requireRsa(key: KeyObject): void {
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0;
  if (key.asymmetricKeyType !== 'rsa' || bits < MIN_RSA_BITS || bits > MAX_RSA_BITS) {
    throw unsupported(
      `an RSA signature with a key of type ${key.asymmetricKeyType ?? 'unknown'}, ${bits} bits`,
    );
  }
}

function unsupported(came: string): X509Error {
  return new X509Error(
    'CERTIFICATE_ALGORITHM_UNSUPPORTED',
    `expected a signature algorithm that we know, got ${came}`,
  );
}
