import { CodedError } from './coded-error.ts';

export type CouldNotCheckCode =
  | 'COLLATERAL_UNAVAILABLE'
  | 'COLLATERAL_EXPIRED'
  | 'REVOCATION_LIST_UNAVAILABLE'
  | 'REVOCATION_LIST_EXPIRED'
  | 'STORAGE_UNAVAILABLE'
  | 'POLICY_UNAVAILABLE'
  | 'ISSUER_KEYS_UNAVAILABLE'
  | 'OVERLOADED'
  | 'SHUTTING_DOWN';

/** We could not check. Neither accepted nor refused: the client may try again (503). */
export class CouldNotCheckError extends CodedError<CouldNotCheckCode> {}
