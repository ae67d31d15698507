import type { KeyObject } from 'node:crypto';
import { bytesEqual } from '../bytes/byte-strings.ts';
import { MalformedError } from '../errors/malformed-error.ts';
import { DerReader } from './der-reader.ts';
import { readSignatureAlgorithm, type SignatureAlgorithm, verifySignature } from './signature-algorithm.ts';

/** What certificates and revocation lists have in common: bytes to be signed, an algorithm, a signature. */
export interface SignedObject {
  /** The bytes that the signature covers, exactly as they came. */
  readonly signedBytes: Uint8Array;
  readonly algorithm: SignatureAlgorithm;
  readonly signature: Uint8Array;
}

/**
 * Splits the outer SEQUENCE of a Certificate or CertificateList (RFC 5280, sections 4.1 and 5.1). The algorithm inside
 * the signed bytes must be the one beside the signature, since only the former is protected.
 * Throws MalformedError, X509Error CERTIFICATE_ALGORITHM_UNSUPPORTED.
 */
export function readSignedObject(der: Uint8Array): SignedObject {
  const outer = new DerReader(der);
  const object = outer.sequence();
  outer.end();
  const signedBytes = object.encodedSequence();
  const identifier = object.encodedSequence();
  const signature = object.wholeBytes();
  object.end();
  if (!bytesEqual(innerIdentifier(signedBytes), identifier)) {
    throw new MalformedError(
      'ENCODING_MALFORMED',
      'expected one signature algorithm inside and outside the signed bytes, got two',
    );
  }
  return { signedBytes, algorithm: readSignatureAlgorithm(new DerReader(identifier).sequence()), signature };
}

/** Whether `key` signed the object. Throws X509Error CERTIFICATE_ALGORITHM_UNSUPPORTED when key and algorithm do not fit. */
export function isSignedBy(object: SignedObject, key: KeyObject): boolean {
  return verifySignature(object.algorithm, key, object.signedBytes, object.signature);
}

/** After `[0] version` and the serial number in a certificate, after an INTEGER version in a list. */
function innerIdentifier(signedBytes: Uint8Array): Uint8Array {
  const reader = new DerReader(signedBytes).sequence();
  if (reader.isExplicit(0)) reader.explicit(0);
  if (reader.isInteger()) reader.integer();
  return reader.encodedSequence();
}
