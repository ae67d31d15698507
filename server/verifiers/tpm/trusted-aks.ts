import { createPublicKey, type KeyObject } from 'node:crypto';
import { sha256 } from '../../bytes/byte-strings.ts';
import { fromUtf8, toHex } from '../../bytes/encoding.ts';
import { CodedError } from '../../errors/coded-error.ts';
import { parseAttestationKey, toAttestationKey } from '../../tpm/attestation-key.ts';
import { looksLikePem } from '../../x509/pem.ts';

/** Attestation keys that the operator believes in. Lower-case hex. */
export interface TrustedAks {
  /** SHA-256 of the SubjectPublicKeyInfo in DER. */
  readonly keyDigests: ReadonlySet<string>;
  /** Names of TPM objects: nameAlg ‖ digest of the TPMT_PUBLIC. */
  readonly names: ReadonlySet<string>;
}

type TrustedAkErrorCode = 'TRUSTED_AK_MALFORMED' | 'TRUSTED_AKS_UNREADABLE' | 'TRUSTED_AKS_TOO_MANY';

/** The operator's list of attestation keys is not one. Concerns the start, not a request. */
export class TrustedAkError extends CodedError<TrustedAkErrorCode> {}

const KEY_DIGEST = /^[0-9a-f]{64}$/;
/** TPM_ALG_SHA256, SHA384 and SHA512 before digests of theirs. */
const NAME = /^(?:000b[0-9a-f]{64}|000c[0-9a-f]{96}|000d[0-9a-f]{128})$/;

/**
 * Reads a list of hex texts: 64 digits are the SHA-256 of a key's SPKI, 68, 100 and 132 the name of a TPM object. Which it
 * is shows by its length. Throws TrustedAkError TRUSTED_AK_MALFORMED.
 */
export function readTrustedAks(entries: readonly string[]): TrustedAks {
  const texts = entries.map((entry) => entry.trim().toLowerCase());
  const wrong = texts.findIndex((text) => !KEY_DIGEST.test(text) && !NAME.test(text));
  if (wrong !== -1) {
    throw new TrustedAkError(
      'TRUSTED_AK_MALFORMED',
      `expected the SHA-256 of a key or a TPM name in hex at place ${wrong + 1} of the trusted attestation keys, got ${texts[wrong]?.length ?? 0} other characters`,
    );
  }
  return {
    keyDigests: new Set(texts.filter((text) => KEY_DIGEST.test(text))),
    names: new Set(texts.filter((text) => NAME.test(text))),
  };
}

/**
 * The entry for a public key in a file: PEM, or the DER of its SubjectPublicKeyInfo.
 * Throws TrustedAkError TRUSTED_AK_MALFORMED.
 */
export function trustedAkOf(file: Uint8Array): string {
  try {
    const key = looksLikePem(file) ? toAttestationKey(readPem(file)) : parseAttestationKey(file);
    return toHex(sha256(key.spki));
  } catch (cause) {
    throw new TrustedAkError(
      'TRUSTED_AK_MALFORMED',
      'expected the public key of an attestation key in PEM or DER, got something else',
      { cause },
    );
  }
}

function readPem(file: Uint8Array): KeyObject {
  return createPublicKey(fromUtf8(file));
}
