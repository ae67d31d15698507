import { toHex } from '../bytes/encoding.ts';
import type { JsonObject } from '../claims/claims.ts';
import { numberPcrValues } from '../tpm/pcr-values.ts';
import { pcrClaims } from '../tpm/quote-binding.ts';
import type { TpmQuote } from '../tpm/quote-verification.ts';
import { parseQuoteAttestation } from '../tpm/tpms-attest.ts';

/** What a quote says, proven or not. */
export interface QuoteFacts {
  /** `pcr00` and up, of the SHA-256 bank, which policies see. */
  readonly pcrs: JsonObject;
  /** `report_data`, and `init_data` where PCR 8 is quoted. */
  readonly binding: JsonObject;
  /** The rest, and the values of other banks. */
  readonly quote: JsonObject;
}

/**
 * Reads a quote without judging it. PCRs have the numbers that its selection says, not their places in the list.
 * Throws TpmError, MalformedError.
 */
export function quoteFacts({ message, signature, pcrValues }: TpmQuote): QuoteFacts {
  const attestation = parseQuoteAttestation(message);
  const banks = numberPcrValues(attestation.selection, pcrValues);
  const pcrs = pcrClaims(banks.get('sha256') ?? new Map());
  const others = [...banks].filter(([bank]) => bank !== 'sha256');
  const initData = pcrs['pcr08'];
  return {
    pcrs,
    binding: {
      report_data: toHex(attestation.extraData),
      ...(initData !== undefined && { init_data: initData }),
    },
    quote: {
      qualified_signer: toHex(attestation.qualifiedSigner),
      clock: attestation.clock.toString(),
      clock_safe: attestation.isClockSafe,
      reset_count: attestation.resetCount,
      restart_count: attestation.restartCount,
      firmware_version: attestation.firmwareVersion.toString(16).padStart(16, '0'),
      selection: Object.fromEntries(attestation.selection.map(({ bank, indices }) => [bank, indices])),
      pcr_digest: toHex(attestation.pcrDigest),
      signature: `${signature.scheme} with ${signature.hash}`,
      ...Object.fromEntries(others.map(([bank, values]) => [bank, pcrClaims(values)])),
    },
  };
}
