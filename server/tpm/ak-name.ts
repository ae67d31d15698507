import { bytesEqual, concatBytes } from '../bytes/byte-strings.ts';
import { type AttestationKey, toAttestationKey } from './attestation-key.ts';
import { TpmError } from './tpm-error.ts';
import { algorithmOf, digest } from './tpm-hash.ts';
import type { TpmPublic } from './tpm2b-public.ts';

/** The name of an object: nameAlg ‖ H(TPMT_PUBLIC) (TPM 2.0 Part 1, "Names"). Its attributes are under the hash. */
export function tpmNameOf({ nameHash, area }: TpmPublic): Uint8Array {
  const algorithm = algorithmOf(nameHash);
  return concatBytes(Uint8Array.of(algorithm >> 8, algorithm & 0xff), digest(nameHash, area));
}

/**
 * Checks that the object is the key that signs quotes, and an attestation key: it was born in its TPM, cannot leave it, and
 * signs nothing that only looks like the TPM's own (restricted). Names by SHA-1 can be made to collide.
 * Throws TpmError TPM_KEY_UNSUITABLE.
 */
export function requireAttestationKey(object: TpmPublic, key: AttestationKey): void {
  const { fixedTpm, fixedParent, sensitiveDataOrigin, restricted, sign, decrypt } = object.attributes;
  const isAttestationKey = fixedTpm && fixedParent && sensitiveDataOrigin && restricted && sign && !decrypt;
  if (!isAttestationKey) {
    throw unsuitable('a restricted signing key that was made in its TPM and stays there', 'another');
  }
  if (object.nameHash === 'sha1') throw unsuitable('a key named by SHA-2', 'SHA-1');
  if (!bytesEqual(toAttestationKey(object.publicKey).spki, key.spki)) {
    throw unsuitable('the public area of the attestation key', 'that of another');
  }
}

function unsuitable(expected: string, came: string): TpmError {
  return new TpmError('TPM_KEY_UNSUITABLE', `expected ${expected}, got ${came}`);
}
