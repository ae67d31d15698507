import type { Claims } from '../claims/claims.ts';
import type { IntelAnchors } from './anchors.ts';
import { createCollateralVerifier } from './collateral.ts';
import { collateralClaims, pckClaims } from './collateral-claims.ts';
import type { FreshnessOptions } from './collateral-dates.ts';
import type { FindDcapCollateral, PlatformQuery } from './dcap-collateral.ts';
import type { Quote } from './quote.ts';
import { createQuoteProver, type ProvenQuote } from './quote-proof.ts';
import { appraiseTcb, type PlatformReport } from './tcb-appraisal.ts';

export interface QuoteVerifierOptions extends FreshnessOptions {
  /** What is believed without proof: `intelAnchors()`, or those of a test PKI. */
  readonly anchors: IntelAnchors;
  readonly findCollateral: FindDcapCollateral;
}

/** What is known of the platform that signed a quote which Intel vouches for. */
export interface QuotePlatform {
  /** 16 bytes as the PCK certificate holds them. `undefined` for platforms that have none. */
  readonly platformInstanceId: Uint8Array | undefined;
  /** TCB status, dates, advisories and the rest, under the names that policies know. */
  readonly claims: Claims;
}

/**
 * Proves a quote and appraises its platform. Throws QuoteError, TcbError, X509Error, MalformedError when the quote is not genuine or
 * its platform is revoked or unknown; CouldNotCheckError when that could not be found out.
 */
export type VerifyQuote = (quote: Quote, at: Date) => Promise<QuotePlatform>;

/** Intel DCAP: the quoting enclave's signatures, the platform's certificate, and what Intel says about both. */
export function createQuoteVerifier(options: QuoteVerifierOptions): VerifyQuote {
  const proveQuote = createQuoteProver(options);
  const verifyCollateral = createCollateralVerifier(options);
  return async (quote, at) => {
    const proven = await proveQuote(quote, at);
    const tee = teeOf(quote);
    const raw = await options.findCollateral(queryOf(tee, proven), at);
    const collateral = verifyCollateral(raw, { tee, pck: proven.pck }, at);
    const appraisal = appraiseTcb(collateral, platformReportOf(proven));
    const { extension } = proven.pck;
    return {
      platformInstanceId: extension.platformInstanceId,
      claims: { ...collateralClaims(collateral, appraisal, at), ...pckClaims(extension) },
    };
  };
}

function teeOf({ body }: Quote): PlatformQuery['tee'] {
  return body.kind === 'sgx' ? 'sgx' : 'tdx';
}

function queryOf(tee: PlatformQuery['tee'], { pck }: ProvenQuote): PlatformQuery {
  return { tee, fmspc: pck.extension.fmspc, ca: pck.ca };
}

function platformReportOf({ quote: { body }, pck, qeReport }: ProvenQuote): PlatformReport {
  return {
    tcb: pck.extension,
    qeReport,
    tdReport: body.kind === 'sgx' ? undefined : body.report,
  };
}
