import { type AttestationKey, verifyTpmSignature } from './attestation-key.ts';
import { type PcrValues, provePcrValues } from './pcr-values.ts';
import { TpmError } from './tpm-error.ts';
import type { TpmHash } from './tpm-hash.ts';
import { parseQuoteAttestation, type QuoteAttestation } from './tpms-attest.ts';
import type { TpmSignature } from './tpmt-signature.ts';

/** A quote as evidence brings it. Nothing of it is proven. */
export interface TpmQuote {
  /** The bytes of the TPMS_ATTEST, exactly as the TPM signed them. */
  readonly message: Uint8Array;
  readonly signature: TpmSignature;
  /** The values that the quote covers, in its order, without their numbers. */
  readonly pcrValues: readonly Uint8Array[];
}

declare const proof: unique symbol;

/** A quote that its key signed. Only `verifyQuote` makes one; whose key it was is for the caller to know. */
export interface ProvenQuote {
  readonly [proof]: 'signed';
  readonly attestation: QuoteAttestation;
  readonly banks: ReadonlyMap<TpmHash, PcrValues>;
}

/**
 * Proves a quote (TPM 2.0 Part 3, TPM2_Quote): the TPM made it, `key` signed it, and the values are those that it covers.
 * Whether it answers a request is asked by requireExtraData and requireInitDataPcr.
 * Throws TpmError; MalformedError TRUNCATED, TRAILING_BYTES.
 */
export async function verifyQuote(quote: TpmQuote, key: AttestationKey): Promise<ProvenQuote> {
  const attestation = parseQuoteAttestation(quote.message);
  await verifyTpmSignature(quote.message, quote.signature, key);
  const banks = provePcrValues(attestation.selection, quote.pcrValues, {
    digest: attestation.pcrDigest,
    hash: quote.signature.hash,
  });
  return { attestation, banks } as ProvenQuote;
}

/** The values of the SHA-256 bank, which all our claims are about. Throws TpmError PCR_BANK_UNSUPPORTED. */
export function sha256Pcrs({ banks }: ProvenQuote): PcrValues {
  const pcrs = banks.get('sha256');
  if (pcrs !== undefined) return pcrs;
  throw new TpmError(
    'PCR_BANK_UNSUPPORTED',
    `expected a quote over the SHA-256 bank, got ${[...banks.keys()].join(', ')}`,
  );
}
