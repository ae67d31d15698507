import { bytesEqual } from '../bytes/byte-strings.ts';
import { fromHex, toHex } from '../bytes/encoding.ts';
import type { IntelAnchors } from './anchors.ts';
import { createAttestationKeyProver } from './attestation-key.ts';
import type { EnclaveReport } from './enclave-report.ts';
import { createPckChainProver, type ProvenPck } from './pck-chain.ts';
import type { Quote } from './quote.ts';
import { QuoteError } from './quote-error.ts';
import { verifyQuoteSignature } from './quote-signature.ts';

declare const proof: unique symbol;

/**
 * A quote that a quoting enclave signed, on a platform that Intel vouches for. Only a quote prover makes one. Neither is it known
 * whether that enclave is Intel's, nor how the platform stands: both are said by collateral.
 */
export interface ProvenQuote {
  readonly [proof]: 'quote';
  readonly quote: Quote;
  readonly pck: ProvenPck;
  readonly qeReport: EnclaveReport;
}

/** Throws QuoteError; MalformedError; X509Error. */
export type QuoteProver = (quote: Quote, at: Date) => Promise<ProvenQuote>;

interface QuoteProverOptions {
  /** What is believed without proof: `intelAnchors()`, or those of a test PKI. */
  readonly anchors: IntelAnchors;
}

/** Intel, Quote Format, QE Vendor ID. */
const INTEL = fromHex('939a7233f79c4ca9940a0db3957f0607');

/** Proves that a quote comes from a quoting enclave on a platform of Intel's. */
export function createQuoteProver({ anchors }: QuoteProverOptions): QuoteProver {
  const provePckChain = createPckChainProver(anchors);
  const proveAttestationKey = createAttestationKeyProver();
  return async (quote, at) => {
    requireIntelsQe(quote);
    const pck = provePckChain(quote.signatureData.pckChain, at);
    await verifyQuoteSignature(quote, await proveAttestationKey(quote, pck));
    return proven(quote, pck);
  };
}

/** What the quote says; whether it is so is for the QE identity. */
function requireIntelsQe({ header }: Quote): void {
  if (bytesEqual(header.qeVendorId, INTEL)) return;
  throw new QuoteError(
    'QE_VENDOR_UNKNOWN',
    `expected a quote by Intel's quoting enclave (vendor ${toHex(INTEL)}), got ${toHex(header.qeVendorId)}`,
  );
}

function proven(quote: Quote, pck: ProvenPck): ProvenQuote {
  return { quote, pck, qeReport: quote.signatureData.qeReport } as ProvenQuote;
}
