import { bytesEqual, sha256 } from '../bytes/byte-strings.ts';
import { toHex } from '../bytes/encoding.ts';
import type { Claims } from '../claims/claims.ts';
import type { PcrValues } from './pcr-values.ts';
import type { ProvenQuote } from './quote-verification.ts';
import { TpmError } from './tpm-error.ts';

/** The guest extends it with the init data digest, once, before anything else does. */
const INIT_DATA_PCR = 8;
const PCR_BYTES = 32;

/** Checks that the quote was made for this request: extraData is one of the forms in which a guest may have given it. */
export function requireExtraData({ attestation }: ProvenQuote, forms: readonly Uint8Array[]): void {
  const { extraData } = attestation;
  if (forms.some((form) => bytesEqual(form, extraData))) return;
  throw new TpmError(
    'REPORT_DATA_MISMATCH',
    `expected the quote to carry the ${forms[0]?.byteLength ?? 0} bytes of this request, got ${extraData.byteLength} others`,
  );
}

/**
 * Checks that PCR 8 holds the init data digest and nothing else: SHA-256(32 zero bytes ‖ digest), as TPM2_PCR_Extend has
 * it. An extension takes as many bytes as the bank's hash, so that a digest of another length cannot have been there.
 * Throws TpmError INIT_DATA_PCR_NOT_QUOTED, INIT_DATA_MISMATCH.
 */
export function requireInitDataPcr(pcrs: PcrValues, expected: Uint8Array | undefined): void {
  if (expected === undefined) return;
  const actual = pcrs.get(INIT_DATA_PCR);
  if (actual === undefined) {
    throw new TpmError(
      'INIT_DATA_PCR_NOT_QUOTED',
      `expected a quote over PCR ${INIT_DATA_PCR}, which holds the init data digest, got one without`,
    );
  }
  if (expected.byteLength !== PCR_BYTES) {
    throw new TpmError(
      'INIT_DATA_MISMATCH',
      `expected an init data digest of ${PCR_BYTES} bytes, which is what the PCR is extended with, got ${expected.byteLength}`,
    );
  }
  if (bytesEqual(extended(expected), actual)) return;
  throw new TpmError(
    'INIT_DATA_MISMATCH',
    `expected PCR ${INIT_DATA_PCR} to be extended with the init data digest of this request only, got another value`,
  );
}

/** `pcr00` to `pcr31`: hex by number, of those that the quote covers. */
export function pcrClaims(pcrs: PcrValues): Claims {
  return Object.fromEntries(
    [...pcrs].map(([index, value]) => [`pcr${index.toString().padStart(2, '0')}`, toHex(value)]),
  );
}

/** `report_data`: what the quote carries; `init_data`: PCR 8, where it is quoted. Hex. */
export function bindingClaims({ attestation }: ProvenQuote, pcrs: PcrValues): Claims {
  const initData = pcrs.get(INIT_DATA_PCR);
  return {
    report_data: toHex(attestation.extraData),
    ...(initData !== undefined && { init_data: toHex(initData) }),
  };
}

/** PCRs are zero when the TPM starts. */
function extended(digest: Uint8Array): Uint8Array {
  const input = new Uint8Array(2 * PCR_BYTES);
  input.set(digest, PCR_BYTES);
  return sha256(input);
}
