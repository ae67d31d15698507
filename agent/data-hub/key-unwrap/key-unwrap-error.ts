import { CodedError } from '../../../server/errors/coded-error.ts';

export type KeyUnwrapErrorCode =
  | 'KEY_UNWRAP_INPUT_MALFORMED'
  | 'KEY_UNWRAP_OPERATION_UNSUPPORTED'
  | 'ANNOTATION_PACKET_MALFORMED'
  | 'ANNOTATION_PACKET_VERSION_UNSUPPORTED';

/** An image's key that this guest cannot be asked to unwrap. */
export class KeyUnwrapError extends CodedError<KeyUnwrapErrorCode> {}
