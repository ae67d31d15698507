import { CodedError } from '../../server/errors/coded-error.ts';

export type TeeKeyErrorCode =
  | 'TEE_KEY_ALGORITHM_UNSUPPORTED'
  | 'TEE_KEY_MALFORMED'
  | 'SEALED_HEADER_MALFORMED'
  | 'SEALED_BY_OTHER_ALGORITHM'
  | 'SEALED_ENCRYPTION_UNSUPPORTED'
  | 'SEALED_ON_OTHER_CURVE'
  | 'SEALED_EPHEMERAL_KEY_INVALID'
  | 'SEALED_KEY_LENGTH_WRONG'
  | 'SEALED_TO_OTHER_KEY'
  | 'SEALED_CONTENT_MALFORMED'
  | 'SEALED_CONTENT_TAMPERED';

/** A TEE key that cannot be had, or a sealed resource that it does not open. Never holds key material or content. */
export class TeeKeyError extends CodedError<TeeKeyErrorCode> {}
