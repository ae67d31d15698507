import { toHex } from '../../bytes/encoding.ts';
import type { Claims } from '../../claims/claims.ts';
import type { TdReport } from '../../intel-dcap/td-report.ts';
import type { QuotePlatform, VerifyQuote } from '../../intel-dcap/verify-quote.ts';
import { quoteClaims } from './claims.ts';
import { parseTdQuote, type TdQuote } from './td-quote.ts';

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
    const quote = parseTdQuote(bytes);
    const platform = await verifyQuote(quote, at);
    const { reportData, mrConfigId, rtmrs } = quote.body.report;
    return { reportData, mrConfigId, rtmrs, claims: claimsOf(quote, platform) };
  };
}

function claimsOf(quote: TdQuote, { claims, platformInstanceId }: QuotePlatform): Claims {
  return {
    ...claims,
    ...quoteClaims(quote),
    ...(platformInstanceId !== undefined && {
      // Upstream shows it last byte first.
      platform_instance_id: toHex(platformInstanceId.toReversed()),
    }),
  };
}
