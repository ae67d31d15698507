import { CodedError } from '../errors/coded-error.ts';

export type TokenErrorCode =
  | 'TOKEN_TOO_LARGE'
  | 'TOKEN_MALFORMED'
  | 'TOKEN_EXTENSION_UNSUPPORTED'
  | 'TOKEN_ALGORITHM_UNSUPPORTED'
  | 'TOKEN_ALGORITHM_MISMATCH'
  | 'TOKEN_ISSUER_UNTRUSTED'
  | 'TOKEN_KEY_UNKNOWN'
  | 'TOKEN_KEY_NOT_ENDORSED'
  | 'TOKEN_SIGNATURE_INVALID'
  | 'TOKEN_CLAIM_MALFORMED'
  | 'TOKEN_EXPIRED'
  | 'TOKEN_NOT_YET_VALID'
  | 'TOKEN_AUDIENCE_MISMATCH'
  | 'TOKEN_PROFILE_NOT_ALLOWED';

/** A token that we reject. Its messages never hold the token. */
export class TokenError extends CodedError<TokenErrorCode> {}

export type KeyErrorCode = 'KEY_MALFORMED' | 'KEY_UNSUPPORTED' | 'KEY_SET_MALFORMED' | 'KEY_SOURCE_INVALID';

/** A key or a source of keys that cannot be used: wrong configuration, or a bad entry of somebody's key set. */
export class KeyError extends CodedError<KeyErrorCode> {}
