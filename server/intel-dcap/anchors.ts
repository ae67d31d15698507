import { sha384 } from '../bytes/byte-strings.ts';
import { fromHex, toHex } from '../bytes/encoding.ts';
import { CodedError } from '../errors/coded-error.ts';
import type { Certificate } from '../x509/certificate.ts';
import { anchorFromSelfSigned, nameOf, requireAuthority, type TrustAnchor } from '../x509/chain.ts';
import { importP256Key, isP256Key, p256PointOf } from './p256-key.ts';

/** A root of Intel's, and how claims name it: SHA-384 of its uncompressed point, hex (Intel's QVL, `root_key_id`). */
export interface IntelAnchor extends TrustAnchor {
  readonly keyId: string;
}

/** What is believed without proof about Intel. */
export type IntelAnchors = readonly [IntelAnchor, ...IntelAnchor[]];

export type IntelAnchorErrorCode = 'ANCHORS_EMPTY' | 'ANCHOR_DUPLICATED' | 'ANCHOR_KEY_UNSUPPORTED';

/** The configured certificates do not make a set of anchors. A mistake in the configuration, found at start. */
export class IntelAnchorError extends CodedError<IntelAnchorErrorCode> {}

/**
 * The key of the Intel SGX Root CA (x ‖ y) and its validity, as in the certificate that Intel publishes at
 * https://certificates.trustedservices.intel.com/Intel_SGX_Provisioning_Certification_RootCA.cer.
 */
const INTEL_SGX_ROOT_CA = {
  name: 'Intel SGX Root CA',
  coordinates:
    '0ba9c4c0c0c86193a3fe23d6b02cda10a8bbd4e88e48b4458561a36e705525f5' +
    '67918e2edc88e40d860bd0cc4ee26aacc988e505a953558c453f6b0904ae7394',
  notBefore: '2018-05-21T10:45:10.000Z',
  notAfter: '2049-12-31T23:59:59.000Z',
} as const;

/** Intel's root, unless a test PKI replaces it. */
export function intelAnchors(): IntelAnchors {
  const { name, coordinates, notBefore, notAfter } = INTEL_SGX_ROOT_CA;
  const publicKey = importP256Key(fromHex(coordinates));
  if (publicKey === undefined) throw new Error('expected the key of the Intel SGX Root CA on P-256');
  const validity = { notBefore: new Date(notBefore), notAfter: new Date(notAfter) };
  return [withKeyId({ name, publicKey, validity })];
}

/**
 * Anchors that replace Intel's, from root certificates. Each must be a P-256 authority that signs itself and has room for one
 * authority below it. Dates are checked at each use.
 * Throws IntelAnchorError, X509Error CHAIN_UNTRUSTED, CERTIFICATE_NOT_AUTHORITY.
 */
export function intelAnchorsFromCertificates(certificates: readonly Certificate[]): IntelAnchors {
  const seen = new Set<string>();
  for (const certificate of certificates) {
    if (seen.has(certificate.fingerprint)) {
      throw new IntelAnchorError('ANCHOR_DUPLICATED', `expected '${nameOf(certificate)}' once, got it twice`);
    }
    seen.add(certificate.fingerprint);
  }
  const [first, ...others] = certificates.map(toAnchor);
  if (first === undefined) {
    throw new IntelAnchorError('ANCHORS_EMPTY', 'expected at least one root certificate, got none');
  }
  return [first, ...others];
}

function withKeyId(anchor: TrustAnchor): IntelAnchor {
  return { ...anchor, keyId: toHex(sha384(p256PointOf(anchor.publicKey))) };
}

function toAnchor(certificate: Certificate): IntelAnchor {
  if (!isP256Key(certificate.publicKey)) {
    throw new IntelAnchorError(
      'ANCHOR_KEY_UNSUPPORTED',
      `expected '${nameOf(certificate)}' to have a P-256 key, got another`,
    );
  }
  requireAuthority(certificate, 1);
  return withKeyId(anchorFromSelfSigned(certificate));
}
