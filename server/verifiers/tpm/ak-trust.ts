import { bytesEqual, sha256 } from '../../bytes/byte-strings.ts';
import { toHex } from '../../bytes/encoding.ts';
import { isCodedError } from '../../errors/coded-error.ts';
import { requireAttestationKey, tpmNameOf } from '../../tpm/ak-name.ts';
import type { AttestationKey } from '../../tpm/attestation-key.ts';
import { parseTpm2bPublic } from '../../tpm/tpm2b-public.ts';
import { type Certificate, extension, parseCertificate } from '../../x509/certificate.ts';
import { DerReader } from '../../x509/der-reader.ts';
import { verifyPath } from '../../x509/path-building.ts';
import type { TpmEvidence } from './evidence.ts';
import { TpmEvidenceError } from './tpm-evidence-error.ts';
import type { TrustedAks } from './trusted-aks.ts';

/** Why an attestation key is believed: the operator named it, or a configured authority certified it. */
export type AkTrust = 'configured-key' | 'configured-name' | 'certificate';

export interface AkTrustOptions {
  readonly trustedAks: TrustedAks;
  /** Self-signed certificates of authorities that certify attestation keys. None unless configured. */
  readonly anchors: readonly Certificate[];
}

const EXTENDED_KEY_USAGE = '2.5.29.37';
/** tcg-kp-AIKCertificate: TCG, "TPM Keys for Platform Identity", section 3. */
const AK_CERTIFICATE = '2.23.133.8.3';
const MAX_USAGES = 16;

/**
 * Whose key it is: by the digest of the key, by its name in its TPM, or by a certificate. A public area that comes along
 * has to be that of an attestation key even where the operator trusts the key already.
 * Throws TpmEvidenceError AK_NOT_TRUSTED, AK_CERTIFICATE_MISMATCH, AK_CERTIFICATE_UNSUITABLE; TpmError TPM_KEY_MALFORMED,
 * TPM_KEY_UNSUITABLE; X509Error; MalformedError.
 */
export function requireTrustedAk(
  key: AttestationKey,
  { akTpmPublic, akCertificates }: Pick<TpmEvidence, 'akTpmPublic' | 'akCertificates'>,
  { trustedAks, anchors }: AkTrustOptions,
  at: Date,
): AkTrust {
  const name = akTpmPublic && readName(akTpmPublic, key);
  if (trustedAks.keyDigests.has(toHex(sha256(key.spki)))) return 'configured-key';
  if (name !== undefined && trustedAks.names.has(name)) return 'configured-name';
  if (akCertificates !== undefined && anchors.length > 0) {
    verifyCertificates(akCertificates, key, anchors, at);
    return 'certificate';
  }
  throw new TpmEvidenceError(
    'AK_NOT_TRUSTED',
    'expected an attestation key that is configured, or certified by a configured authority, got another',
  );
}

function readName(tpmPublic: Uint8Array, key: AttestationKey): string {
  const object = parseTpm2bPublic(tpmPublic);
  requireAttestationKey(object, key);
  return toHex(tpmNameOf(object));
}

function verifyCertificates(
  ders: readonly Uint8Array[],
  key: AttestationKey,
  anchors: readonly Certificate[],
  at: Date,
): void {
  const [leaf, ...intermediates] = ders.map(parseCertificate);
  if (leaf === undefined) throw unsuitable('a certificate of the attestation key', 'none');
  verifyPath(leaf, intermediates, anchors, at);
  if (!readUsages(leaf).includes(AK_CERTIFICATE)) {
    throw unsuitable(`the extended key usage ${AK_CERTIFICATE}`, 'a certificate for something else');
  }
  if (!bytesEqual(leaf.publicKey.export({ type: 'spki', format: 'der' }), key.spki)) {
    throw new TpmEvidenceError(
      'AK_CERTIFICATE_MISMATCH',
      'expected a certificate of the attestation key, got one of another key',
    );
  }
}

/** RFC 5280, section 4.2.1.12. */
function readUsages(certificate: Certificate): readonly string[] {
  const value = extension(certificate, EXTENDED_KEY_USAGE)?.value;
  if (value === undefined) return [];
  try {
    const outer = new DerReader(value);
    const list = outer.sequence();
    outer.end();
    const usages: string[] = [];
    while (!list.atEnd && usages.length < MAX_USAGES) usages.push(list.oid());
    return usages;
  } catch (cause) {
    if (!isCodedError(cause)) throw cause;
    throw unsuitable('an extended key usage as RFC 5280 has it', 'another form', cause);
  }
}

function unsuitable(expected: string, came: string, cause?: unknown): TpmEvidenceError {
  return new TpmEvidenceError('AK_CERTIFICATE_UNSUITABLE', `expected ${expected}, got ${came}`, { cause });
}
