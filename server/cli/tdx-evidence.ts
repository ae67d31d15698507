import type { JsonObject } from '../claims/claims.ts';
import { quoteClaims } from '../verifiers/tdx/claims.ts';
import { readTdxEvidence } from '../verifiers/tdx/evidence.ts';
import { parseTdQuote } from '../verifiers/tdx/td-quote.ts';
import type { EvidenceFile } from './command-io.ts';
import { attachedEventLog } from './event-log.ts';

/**
 * Reads TDX evidence without judging it: the JSON of the guest's attester, with its event log, or the bytes of a quote.
 * Throws TdxEvidenceError, QuoteError, MalformedError.
 */
export function inspectTdxEvidence(evidence: EvidenceFile): JsonObject {
  if (evidence.form === 'bytes') return quoteClaims(parseTdQuote(evidence.bytes));
  const { quote, eventLog } = readTdxEvidence(evidence.document);
  return { ...quoteClaims(parseTdQuote(quote)), ...attachedEventLog(eventLog) };
}
