import { CodedError } from '../errors/coded-error.ts';

export type AttestationRequestErrorCode =
  | 'TEE_UNKNOWN'
  | 'TEE_NOT_ENABLED'
  | 'EVIDENCE_TOO_LARGE'
  | 'HASH_ALGORITHM_UNKNOWN'
  | 'RUNTIME_DATA_NOT_CANONICAL'
  | 'INIT_DATA_INVALID'
  | 'NONCE_REQUIRED'
  | 'NONCES_DIFFER';

/** The request is well-formed, but asks for something that this service does not do. */
export class AttestationRequestError extends CodedError<AttestationRequestErrorCode> {}
