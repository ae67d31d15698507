import type { JsonObject } from '../claims/claims.ts';
import { quoteClaims } from '../verifiers/sgx/claims.ts';
import { parseEnclaveQuote } from '../verifiers/sgx/enclave-quote.ts';
import { readSgxEvidence } from '../verifiers/sgx/evidence.ts';
import type { EvidenceFile } from './command-io.ts';

/**
 * Reads SGX evidence without judging it: the JSON of the enclave's attester, or the bytes of a quote.
 * Throws SgxEvidenceError, QuoteError, MalformedError.
 */
export function inspectSgxEvidence(evidence: EvidenceFile): JsonObject {
  const bytes = evidence.form === 'bytes' ? evidence.bytes : readSgxEvidence(evidence.document);
  return quoteClaims(parseEnclaveQuote(bytes));
}
