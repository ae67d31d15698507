import { z } from 'zod';
import { base64Length, fromBase64 } from '../../bytes/encoding.ts';
import { MAX_QUOTE_BYTES } from '../../intel-dcap/quote.ts';
import { TdxEvidenceError } from './tdx-evidence-error.ts';

/** Firmware hands over the whole area that it reserved for its log (ACPI table CCEL), up to 1 MiB in practice. */
const MAX_EVENT_LOG_BYTES = 2 * 1024 * 1024;

/** What the attester of Confidential Containers sends. Further members are ignored, as its other readers do. */
const evidenceSchema = z.object({
  quote: z.string().min(1).max(base64Length(MAX_QUOTE_BYTES)),
  cc_eventlog: z.string().max(base64Length(MAX_EVENT_LOG_BYTES)).nullish(),
});

/** TDX evidence in our own form. Nothing is believed. */
export interface TdxEvidence {
  readonly quote: Uint8Array;
  /** Confidential computing event log, as firmware left it in memory. `undefined` when none came along. */
  readonly eventLog: Uint8Array | undefined;
}

/**
 * Reads the evidence JSON of a trust domain: `{quote, cc_eventlog?}`, both in base64. A log that is null or empty is none.
 * Throws TdxEvidenceError EVIDENCE_MALFORMED; MalformedError ENCODING_MALFORMED.
 */
export function readTdxEvidence(evidence: unknown): TdxEvidence {
  const parsed = evidenceSchema.safeParse(evidence);
  if (!parsed.success) {
    throw new TdxEvidenceError('EVIDENCE_MALFORMED', `TDX evidence: ${z.prettifyError(parsed.error)}`);
  }
  const { quote, cc_eventlog: eventLog } = parsed.data;
  const hasEventLog = eventLog !== undefined && eventLog !== null && eventLog !== '';
  return { quote: fromBase64(quote), eventLog: hasEventLog ? fromBase64(eventLog) : undefined };
}
