import { z } from 'zod';
import { base64Length, fromBase64 } from '../../bytes/encoding.ts';
import { MAX_QUOTE_BYTES } from '../../intel-dcap/quote.ts';
import { SgxEvidenceError } from './sgx-evidence-error.ts';

/** What the attester of Confidential Containers sends. Further members are ignored, as its other readers do. */
const evidenceSchema = z.object({ quote: z.string().min(1).max(base64Length(MAX_QUOTE_BYTES)) });

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
