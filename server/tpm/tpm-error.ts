import { CodedError } from '../errors/coded-error.ts';

export type TpmErrorCode =
  | 'QUOTE_MAGIC_MISMATCH'
  | 'QUOTE_TYPE_MISMATCH'
  | 'QUOTE_MALFORMED'
  | 'SIGNATURE_ALGORITHM_UNSUPPORTED'
  | 'SIGNATURE_MALFORMED'
  | 'SIGNATURE_INVALID'
  | 'PCR_BANK_UNSUPPORTED'
  | 'PCR_SELECTION_MALFORMED'
  | 'PCR_SELECTION_MISMATCH'
  | 'PCR_DIGEST_MISMATCH'
  | 'REPORT_DATA_MISMATCH'
  | 'INIT_DATA_MISMATCH'
  | 'INIT_DATA_PCR_NOT_QUOTED'
  | 'TPM_KEY_MALFORMED'
  | 'TPM_KEY_UNSUITABLE'
  | 'HCL_REPORT_MALFORMED'
  | 'HCL_VARIABLE_DATA_MALFORMED';

/** What a TPM, or the Azure firmware around one, is said to have written, and that we reject. */
export class TpmError extends CodedError<TpmErrorCode> {}
