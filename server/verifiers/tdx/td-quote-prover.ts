import { toHex } from '../../bytes/encoding.ts';
import type { Claims } from '../../claims/claims.ts';
import type { Quote } from '../../intel-dcap/quote.ts';
import type { TdReport } from '../../intel-dcap/td-report.ts';
import { quoteClaims } from './claims.ts';
import { parseTdQuote, requireTdQuote, type TdQuote } from './td-quote.ts';

/** A quote that Intel vouches for, and what is known of the platform that signed it. */
interface VerifiedQuote {
  readonly quote: Quote;
  /** 16 bytes as the PCK certificate holds them. `undefined` for platforms that have none. */
  readonly platformInstanceId: Uint8Array | undefined;
  /** TCB status, dates, advisories and the rest, under the names that policies know. */
  readonly collateralClaims: Claims;
}

/**
 * Proves a quote of any kind and appraises its platform. Throws a CodedError when the quote is not genuine, a
 * CouldNotCheckError when that could not be found out.
 */
export type VerifyQuote = (quote: Uint8Array, at: Date) => Promise<VerifiedQuote>;

/** What requests are compared with, and what policies see. */
export interface ProvenTdQuote extends Pick<TdReport, 'reportData' | 'mrConfigId' | 'rtmrs'> {
  /** What the quote and the collateral say; nothing of an event log. */
  readonly claims: Claims;
}

/** Throws TdxEvidenceError TD_QUOTE_EXPECTED, and what `VerifyQuote` throws. */
export type ProveTdQuote = (quote: Uint8Array, at: Date) => Promise<ProvenTdQuote>;

/** Proves bare TD quotes, wherever they come from: from TDX evidence, or from below a virtual TPM. */
export function createTdQuoteProver(verifyQuote: VerifyQuote): ProveTdQuote {
  return async (bytes, at) => {
    parseTdQuote(bytes); // so that nobody asks Intel about a quote that is not of a TD
    const verified = await verifyQuote(bytes, at);
    const quote = requireTdQuote(verified.quote);
    const { reportData, mrConfigId, rtmrs } = quote.body.report;
    return { reportData, mrConfigId, rtmrs, claims: claimsOf(quote, verified) };
  };
}

function claimsOf(quote: TdQuote, { collateralClaims, platformInstanceId }: VerifiedQuote): Claims {
  return {
    ...collateralClaims,
    ...quoteClaims(quote),
    ...(platformInstanceId !== undefined && {
      // Upstream shows it last byte first.
      platform_instance_id: toHex(platformInstanceId.toReversed()),
    }),
  };
}
