import { CodedError } from '../errors/coded-error.ts';

export type QuoteErrorCode =
  | 'QUOTE_TOO_LARGE'
  | 'QUOTE_VERSION_UNSUPPORTED'
  | 'QUOTE_TEE_UNSUPPORTED'
  | 'QUOTE_BODY_UNSUPPORTED'
  | 'QUOTE_BODY_SIZE_MISMATCH'
  | 'ATTESTATION_KEY_TYPE_UNSUPPORTED'
  | 'ATTESTATION_KEY_MALFORMED'
  | 'ATTESTATION_KEY_NOT_BOUND'
  | 'CERTIFICATION_DATA_UNSUPPORTED'
  | 'QE_VENDOR_UNKNOWN'
  | 'QE_REPORT_SIGNATURE_INVALID'
  | 'QUOTE_SIGNATURE_INVALID'
  | 'PCK_CHAIN_MALFORMED'
  | 'PCK_EXTENSION_MALFORMED';

/** The guest sent an Intel quote that we reject. Never a failure of ours: see CouldNotCheckError. */
export class QuoteError extends CodedError<QuoteErrorCode> {}
