import type { KeyObject } from 'node:crypto';
import { bytesEqual, concatBytes, sha256 } from '../../bytes/byte-strings.ts';
import { toHex, toUtf8 } from '../../bytes/encoding.ts';
import { requireAttestationKey, tpmNameOf } from '../../tpm/ak-name.ts';
import { toAttestationKey } from '../../tpm/attestation-key.ts';
import { type MadeCredential, makeCredential } from '../../tpm/make-credential.ts';
import { parseTpm2bPublic } from '../../tpm/tpm2b-public.ts';
import { type Certificate, parseCertificate } from '../../x509/certificate.ts';
import { verifyPath } from '../../x509/path-building.ts';
import { requireUsage } from './extended-key-usage.ts';
import { TpmEvidenceError } from './tpm-evidence-error.ts';

/**
 * Secrets that can be made again from their content: the first is given out, all are accepted. Only we can make them.
 */
export type MakeSecrets = (content: Uint8Array) => readonly [Uint8Array, ...Uint8Array[]];

export interface ActivationOptions {
  /** Self-signed certificates of the manufacturers of TPMs. */
  readonly anchors: readonly Certificate[];
  readonly makeSecrets: MakeSecrets;
}

/** Which TPM, and which key in it. Untrusted. */
export interface TpmIdentity {
  /** DER, the endorsement key's first. */
  readonly ekCertificates: readonly Uint8Array[];
  /** TPM2B_PUBLIC of the attestation key. */
  readonly akTpmPublic: Uint8Array;
}

/**
 * Shows that an attestation key lives in a TPM that its manufacturer vouches for: a secret that only that TPM can read, and only
 * while it holds that key, comes back (TPM 2.0 Part 1, "Credential Protection"). The secret follows from the nonce, the key and the
 * TPM, so that nothing is kept between the two requests and one secret serves no other evidence.
 */
export interface Activation {
  /** Throws TpmEvidenceError EK_CERTIFICATE_UNSUITABLE; TpmError; X509Error; MalformedError. */
  makeChallenge(identity: TpmIdentity, nonce: string, at: Date): MadeCredential;
  /**
   * The SHA-256 of the endorsement key's SPKI, hex. Throws as makeChallenge, and TpmEvidenceError ACTIVATION_NONCE_MISSING,
   * ACTIVATION_SECRET_MISMATCH.
   */
  requireActivated(identity: TpmIdentity, secret: Uint8Array, nonce: string | undefined, at: Date): string;
}

/** tcg-kp-EKCertificate: TCG EK Credential Profile, "Extended Key Usage". */
const EK_USAGE = { oid: '2.23.133.8.1', code: 'EK_CERTIFICATE_UNSUITABLE' } as const;
/** TCG EK Credential Profile, template L-1: the one that every TPM with a certificate has. */
const RSA_2048_TEMPLATE = { nameHash: 'sha256', symmetricBits: 128 } as const;

export function createActivation({ anchors, makeSecrets }: ActivationOptions): Activation {
  const secretsOf = (nonce: string, akName: Uint8Array, ek: Certificate): ReturnType<MakeSecrets> =>
    makeSecrets(concatBytes(sha256(toUtf8(nonce)), sha256(akName), sha256(ek.der)));
  return {
    makeChallenge(identity, nonce, at) {
      const ek = verifyEndorsementKey(identity.ekCertificates, anchors, at);
      const akName = attestationKeyName(identity.akTpmPublic);
      const [secret] = secretsOf(nonce, akName, ek);
      return makeCredential({ publicKey: ek.publicKey, ...RSA_2048_TEMPLATE }, akName, secret);
    },
    requireActivated(identity, secret, nonce, at) {
      if (nonce === undefined) {
        throw new TpmEvidenceError(
          'ACTIVATION_NONCE_MISSING',
          'expected runtime data with the nonce of the challenge that the secret came with, got none',
        );
      }
      const ek = verifyEndorsementKey(identity.ekCertificates, anchors, at);
      const secrets = secretsOf(nonce, attestationKeyName(identity.akTpmPublic), ek);
      if (!secrets.some((one) => bytesEqual(one, secret))) {
        throw new TpmEvidenceError(
          'ACTIVATION_SECRET_MISMATCH',
          'expected the secret of the challenge for this nonce, attestation key and TPM, got another',
        );
      }
      return toHex(sha256(spkiOf(ek.publicKey)));
    },
  };
}

function verifyEndorsementKey(
  ders: readonly Uint8Array[],
  anchors: readonly Certificate[],
  at: Date,
): Certificate {
  const [leaf, ...intermediates] = ders.map(parseCertificate);
  if (leaf === undefined) {
    throw new TpmEvidenceError(
      'EK_CERTIFICATE_UNSUITABLE',
      'expected a certificate of the endorsement key, got none',
    );
  }
  verifyPath(leaf, intermediates, anchors, at);
  requireUsage(leaf, EK_USAGE);
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = leaf.publicKey;
  if (type !== 'rsa' || details?.modulusLength !== 2048) {
    throw new TpmEvidenceError(
      'EK_CERTIFICATE_UNSUITABLE',
      `expected an endorsement key of RSA 2048, got ${type ?? 'another'}`,
    );
  }
  return leaf;
}

/** Of a key that quotes and cannot leave its TPM; another one might be anybody's. */
function attestationKeyName(tpmPublic: Uint8Array): Uint8Array {
  const object = parseTpm2bPublic(tpmPublic);
  requireAttestationKey(object, toAttestationKey(object.publicKey));
  return tpmNameOf(object);
}

function spkiOf(key: KeyObject): Uint8Array {
  return key.export({ type: 'spki', format: 'der' });
}
