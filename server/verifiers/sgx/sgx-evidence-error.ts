import { CodedError } from '../../errors/coded-error.ts';

export type SgxEvidenceErrorCode =
  | 'EVIDENCE_MALFORMED'
  | 'SGX_QUOTE_EXPECTED'
  | 'REPORT_DATA_MISMATCH'
  | 'INIT_DATA_MISMATCH';

/** The enclave sent SGX evidence that we reject. Never a failure of ours: see CouldNotCheckError. */
export class SgxEvidenceError extends CodedError<SgxEvidenceErrorCode> {}
