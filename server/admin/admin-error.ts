import { CodedError } from '../errors/coded-error.ts';

export type AdminErrorCode =
  | 'ADMIN_ACCESS_DISABLED'
  | 'ADMIN_TOKEN_MISSING'
  | 'ADMIN_TOKEN_REFUSED'
  | 'ADMIN_ROLE_NOT_ALLOWED';

/** The caller may not do this. */
export class AdminError extends CodedError<AdminErrorCode> {}

export type AdminConfigurationErrorCode =
  | 'ADMIN_ACL_INVALID'
  | 'ADMIN_PROVIDERS_MISSING'
  | 'ADMIN_KEY_UNUSABLE';

/** Administrators could not be told from others as configured: the server does not start. */
export class AdminConfigurationError extends CodedError<AdminConfigurationErrorCode> {}
