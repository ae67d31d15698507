import type { JsonObject } from '../claims/claims.ts';
import { quoteClaims } from '../verifiers/tdx/claims.ts';
import { readTdxEvidence } from '../verifiers/tdx/evidence.ts';
import { parseTdQuote } from '../verifiers/tdx/td-quote.ts';
import type { EvidenceFile } from './command-io.ts';

/**
 * Reads TDX evidence without judging it: the JSON of the guest's attester, or the bytes of a quote.
 * Throws TdxEvidenceError, QuoteError, MalformedError.
 */
export function inspectTdxEvidence(evidence: EvidenceFile): JsonObject {
  const bytes = evidence.form === 'bytes' ? evidence.bytes : readTdxEvidence(evidence.document).quote;
  return quoteClaims(parseTdQuote(bytes));
}
