import { CodedError } from '../errors/coded-error.ts';

export type EventLogErrorCode =
  | 'EVENT_LOG_HEADER_MALFORMED'
  | 'EVENT_LOG_ALGORITHM_UNSUPPORTED'
  | 'EVENT_LOG_DIGESTS_MALFORMED'
  | 'EVENT_LOG_TOO_LARGE'
  | 'EVENT_LOG_TRAILING_BYTES'
  | 'EVENT_LOG_DIGEST_MISSING'
  | 'EVENT_LOG_REGISTER_UNKNOWN'
  | 'EVENT_LOG_REPLAY_MISMATCH';

/** A log that cannot be read, or that is not the one that was measured. */
export class EventLogError extends CodedError<EventLogErrorCode> {}
