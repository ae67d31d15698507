import { CodedError } from '../errors/coded-error.ts';

export type EmbeddedPostgresErrorCode =
  | 'PLATFORM_UNSUPPORTED'
  | 'SYSTEM_USER_MISSING'
  | 'DATA_FOLDER_MISSING'
  | 'DATA_FOLDER_IN_USE'
  | 'DATA_FOLDER_FOREIGN'
  | 'INITDB_FAILED'
  | 'START_FAILED';

/** The embedded Postgres could not be set up or started. The program does not start; the operator has to act. */
export class EmbeddedPostgresError extends CodedError<EmbeddedPostgresErrorCode> {}
