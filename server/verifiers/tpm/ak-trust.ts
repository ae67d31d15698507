import { bytesEqual, sha256 } from '../../bytes/byte-strings.ts';
import { toHex } from '../../bytes/encoding.ts';
import { requireAttestationKey, tpmNameOf } from '../../tpm/ak-name.ts';
import type { AttestationKey } from '../../tpm/attestation-key.ts';
import { parseTpm2bPublic } from '../../tpm/tpm2b-public.ts';
import { type Certificate, parseCertificate } from '../../x509/certificate.ts';
import { verifyPath } from '../../x509/path-building.ts';
import type { Activation } from './activation.ts';
import type { TpmEvidence } from './evidence.ts';
import { requireUsage } from './extended-key-usage.ts';
import { TpmEvidenceError } from './tpm-evidence-error.ts';
import type { TrustedAks } from './trusted-aks.ts';

/**
 * Why an attestation key is believed: the operator named it, a configured authority certified it, or a TPM of a configured
 * manufacturer proved to hold it. As claims show it.
 */
export type AkTrust =
  | { readonly ak_trust: 'configured-key' | 'configured-name' | 'certificate' }
  | { readonly ak_trust: 'activated'; readonly ek_public_sha256: string };

export interface AkTrustOptions {
  readonly trustedAks: TrustedAks;
  /** Self-signed certificates of authorities that certify attestation keys. None unless configured. */
  readonly anchors: readonly Certificate[];
  /** `undefined`: no manufacturer of TPMs is believed. */
  readonly activation: Activation | undefined;
}

type TrustEvidence = Pick<
  TpmEvidence,
  'akTpmPublic' | 'akCertificates' | 'ekCertificates' | 'activatedSecret'
>;

/** tcg-kp-AIKCertificate: TCG, "TPM Keys for Platform Identity", section 3. */
const AK_USAGE = { oid: '2.23.133.8.3', code: 'AK_CERTIFICATE_UNSUITABLE' } as const;

/**
 * Whose key it is: by the digest of the key, by its name in its TPM, by a certificate, or by activation for the nonce. A public area that comes along
 * has to be that of an attestation key even where the operator trusts the key already.
 * Throws TpmEvidenceError AK_NOT_TRUSTED, AK_CERTIFICATE_MISMATCH, AK_CERTIFICATE_UNSUITABLE; TpmError TPM_KEY_MALFORMED,
 * TPM_KEY_UNSUITABLE; X509Error; MalformedError.
 */
export function requireTrustedAk(
  key: AttestationKey,
  evidence: TrustEvidence,
  { trustedAks, anchors, activation }: AkTrustOptions,
  nonce: string | undefined,
  at: Date,
): AkTrust {
  const { akTpmPublic, akCertificates } = evidence;
  const name = akTpmPublic && readName(akTpmPublic, key);
  if (trustedAks.keyDigests.has(toHex(sha256(key.spki)))) return { ak_trust: 'configured-key' };
  if (name !== undefined && trustedAks.names.has(name)) return { ak_trust: 'configured-name' };
  if (akCertificates !== undefined && anchors.length > 0) {
    verifyCertificates(akCertificates, key, anchors, at);
    return { ak_trust: 'certificate' };
  }
  const activated = requireActivation(evidence, activation, nonce, at);
  if (activated !== undefined) return activated;
  throw new TpmEvidenceError(
    'AK_NOT_TRUSTED',
    'expected an attestation key that is configured, certified by a configured authority, or activated, got another',
  );
}

/** `undefined` where evidence does not ask for it, or no manufacturer is believed. */
function requireActivation(
  { akTpmPublic, ekCertificates, activatedSecret }: Omit<TrustEvidence, 'akCertificates'>,
  activation: Activation | undefined,
  nonce: string | undefined,
  at: Date,
): AkTrust | undefined {
  if (activation === undefined || akTpmPublic === undefined) return undefined;
  if (ekCertificates === undefined || activatedSecret === undefined) return undefined;
  const identity = { ekCertificates, akTpmPublic };
  const ek = activation.requireActivated(identity, activatedSecret, nonce, at);
  return { ak_trust: 'activated', ek_public_sha256: ek };
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
  if (leaf === undefined) {
    throw new TpmEvidenceError(
      'AK_CERTIFICATE_UNSUITABLE',
      'expected a certificate of the attestation key, got none',
    );
  }
  verifyPath(leaf, intermediates, anchors, at);
  requireUsage(leaf, AK_USAGE);
  if (!bytesEqual(leaf.publicKey.export({ type: 'spki', format: 'der' }), key.spki)) {
    throw new TpmEvidenceError(
      'AK_CERTIFICATE_MISMATCH',
      'expected a certificate of the attestation key, got one of another key',
    );
  }
}
