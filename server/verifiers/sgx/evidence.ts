import { z } from 'zod';
import { fromBase64 } from '../../bytes/encoding.ts';
import { SgxEvidenceError } from './sgx-evidence-error.ts';

/** Base64 of 32 KiB. Quotes take about 5 KiB, most of it certificates. */
const MAX_QUOTE_CHARACTERS = 43_692;

/** What the attester of Confidential Containers sends. Further members are ignored, as its other readers do. */
const evidenceSchema = z.object({ quote: z.string().min(1).max(MAX_QUOTE_CHARACTERS) });

/**
 * The quote of the evidence JSON `{quote}`, which is base64. Nothing of it is believed.
 * Throws SgxEvidenceError EVIDENCE_MALFORMED; MalformedError ENCODING_MALFORMED.
 */
export function readSgxEvidence(evidence: unknown): Uint8Array {
  const parsed = evidenceSchema.safeParse(evidence);
  if (!parsed.success) {
    throw new SgxEvidenceError('EVIDENCE_MALFORMED', `SGX evidence: ${z.prettifyError(parsed.error)}`);
  }
  return fromBase64(parsed.data.quote);
}
