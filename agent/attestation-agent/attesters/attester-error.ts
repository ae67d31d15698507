import { CodedError } from '../../../server/errors/coded-error.ts';

export type AttesterErrorCode =
  // Nothing here can prove anything, or not what was asked for.
  | 'TEE_NOT_FOUND'
  | 'TEE_UNKNOWN'
  | 'TEE_UNSUPPORTED'
  // configfs-tsm, and the devices of older kernels
  | 'TSM_UNAVAILABLE'
  | 'TSM_PROVIDER_MISMATCH'
  | 'TSM_CONTESTED'
  | 'TSM_FAILED'
  | 'DEVICE_UNAVAILABLE'
  | 'DEVICE_CALLS_UNAVAILABLE'
  | 'DEVICE_FAILED'
  // what they wrote
  | 'REPORT_UNSUPPORTED'
  | 'REPORT_MALFORMED'
  | 'REPORT_OF_ANOTHER_REQUEST'
  | 'CERTIFICATE_TABLE_MALFORMED'
  | 'FIRMWARE_LOG_MALFORMED'
  // TPMs, and the cloud around a virtual one
  | 'TPM_TOOLS_UNAVAILABLE'
  | 'TPM_FAILED'
  | 'TPM_DEADLINE_EXCEEDED'
  | 'METADATA_SERVICE_UNAVAILABLE'
  | 'METADATA_REPLY_MALFORMED';

/** This guest could not prove what it is. Concerns its hardware and its kernel, never who asked. */
export class AttesterError extends CodedError<AttesterErrorCode> {}
