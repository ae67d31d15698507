import { CodedError } from '../errors/coded-error.ts';

export type AzureEvidenceErrorCode =
  | 'EVIDENCE_MALFORMED'
  | 'EVIDENCE_VERSION_UNSUPPORTED'
  | 'EVIDENCE_VERSION_TOO_OLD'
  | 'RUNTIME_DATA_REQUIRED'
  | 'HARDWARE_REPORT_MISMATCH'
  | 'VARIABLE_DATA_MISMATCH'
  | 'USER_DATA_MISMATCH';

/** The guest of an Azure confidential VM sent evidence that we reject. Never a failure of ours: see CouldNotCheckError. */
export class AzureEvidenceError extends CodedError<AzureEvidenceErrorCode> {}
