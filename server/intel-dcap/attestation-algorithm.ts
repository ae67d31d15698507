import { P256_CURVE } from './p256-key.ts';
import { QuoteError } from './quote-error.ts';

/** How a quoting enclave signs quotes. Only `attestationAlgorithmOf` hands one out. */
export interface AttestationAlgorithm {
  readonly curve: string;
  readonly hash: 'sha256';
  /** r ‖ s, big-endian. */
  readonly signatureBytes: number;
  /** x ‖ y, big-endian. */
  readonly keyBytes: number;
}

/** Intel, Quote Format, Attestation Key Type. What is not in this table is refused before any cryptography runs. */
const ALGORITHMS: ReadonlyMap<number, AttestationAlgorithm> = new Map([
  [2, { curve: P256_CURVE, hash: 'sha256', signatureBytes: 64, keyBytes: 64 }],
]);
/** Those that Intel lists and that we do not take. EPID ended with Intel's service for it. */
const NAMES: ReadonlyMap<number, string> = new Map([
  [0, 'EPID, unlinkable'],
  [1, 'EPID, linkable'],
  [3, 'ECDSA P-384'],
]);

/** Throws QuoteError ATTESTATION_KEY_TYPE_UNSUPPORTED. */
export function attestationAlgorithmOf(keyType: number): AttestationAlgorithm {
  const algorithm = ALGORITHMS.get(keyType);
  if (algorithm !== undefined) return algorithm;
  throw new QuoteError(
    'ATTESTATION_KEY_TYPE_UNSUPPORTED',
    `expected an attestation key of type 2 (ECDSA P-256), got ${keyType} (${NAMES.get(keyType) ?? 'unknown'})`,
  );
}
