import { CodedError } from './coded-error.ts';

export type MalformedCode =
  | 'TRUNCATED'
  | 'TRAILING_BYTES'
  | 'RESERVED_NOT_ZERO'
  | 'ENCODING_MALFORMED'
  | 'JSON_MALFORMED'
  | 'JSON_TOO_DEEP'
  | 'JSON_TOO_LARGE'
  | 'JSON_DUPLICATE_KEY'
  | 'JSON_FORBIDDEN_KEY';

/** Bytes or text that do not have the form they must have. Says where and what was expected. */
export class MalformedError extends CodedError<MalformedCode> {}
