import { CodedError } from '../../../server/errors/coded-error.ts';

export type RuntimeMeasurementErrorCode =
  // The event cannot be written down so that everybody reads the same.
  | 'EVENT_TOKEN_MALFORMED'
  | 'EVENT_CONTENT_MALFORMED'
  | 'EVENT_TOO_LARGE'
  | 'REGISTER_UNKNOWN'
  | 'REGISTER_RESERVED'
  // The register did not take it.
  | 'REGISTER_UNAVAILABLE'
  | 'REGISTER_FAILED'
  // The files.
  | 'EVENT_LOG_FULL'
  | 'EVENT_LOG_MALFORMED'
  | 'EVENT_LOG_FAILED'
  | 'EVENT_LOG_DISAGREES';

/** Nothing was measured, or it cannot be said whether it was. */
export class RuntimeMeasurementError extends CodedError<RuntimeMeasurementErrorCode> {}
