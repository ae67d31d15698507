import { CodedError } from '../../../server/errors/coded-error.ts';

export type SealedSecretErrorCode =
  // The text.
  | 'SEALED_SECRET_MALFORMED'
  | 'SEALED_SECRET_HEADER_MALFORMED'
  | 'SEALED_SECRET_ALGORITHM_UNSUPPORTED'
  // Who signed it.
  | 'SIGNING_KEY_NOT_ALLOWED'
  | 'SIGNING_KEY_NOT_FOUND'
  | 'SIGNING_KEY_MALFORMED'
  | 'SEALED_SECRET_SIGNATURE_INVALID'
  // What was signed.
  | 'SEALED_SECRET_PAYLOAD_MALFORMED'
  | 'SEALED_SECRET_VERSION_UNSUPPORTED'
  | 'SEALED_SECRET_TYPE_UNSUPPORTED';

/** A sealed secret that this guest does not open, or that cannot be made. Never holds one. */
export class SealedSecretError extends CodedError<SealedSecretErrorCode> {}
