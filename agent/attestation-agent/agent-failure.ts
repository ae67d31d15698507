import { isCodedError } from '../../server/errors/coded-error.ts';
import type { MalformedCode } from '../../server/errors/malformed-error.ts';
import type { ClientErrorCode } from '../client-error.ts';
import { type RpcCode, RpcError } from '../rpc/rpc-error.ts';
import type { TeeKeyErrorCode } from '../tee-key/tee-key-error.ts';
import type { AttesterErrorCode } from './attesters/attester-error.ts';
import type { RuntimeMeasurementErrorCode } from './event-log/runtime-measurement-error.ts';
import type { EvidenceErrorCode } from './evidence-provider.ts';
import type { InitDataErrorCode } from './init-data.ts';
import type { InitDataBindingErrorCode } from './init-data-at-start.ts';
import type { AgentTokenErrorCode } from './tokens/token-type.ts';

type AgentCode =
  | AgentTokenErrorCode
  | AttesterErrorCode
  | ClientErrorCode
  | EvidenceErrorCode
  | InitDataErrorCode
  | InitDataBindingErrorCode
  | MalformedCode
  | RuntimeMeasurementErrorCode
  | TeeKeyErrorCode;

/** What is ours or the server's to mend: the caller can do nothing about it, and is not to try the same again. */
type InternalCode =
  | MalformedCode
  | TeeKeyErrorCode
  | 'PLUGIN_FAILED'
  | 'REPLY_TOO_LARGE'
  | 'REPLY_MALFORMED'
  | 'HASH_ALGORITHM_UNSUPPORTED'
  | 'RESOURCE_NOT_SEALED'
  | 'TOKEN_MALFORMED'
  | 'TOKEN_EXPIRED_ON_ARRIVAL'
  | 'TOKEN_NOT_YET_VALID'
  | 'TOKEN_WITHOUT_OUR_KEY'
  | 'REQUEST_REFUSED'
  | 'EVIDENCE_UNAVAILABLE'
  | 'TSM_PROVIDER_MISMATCH'
  | 'TSM_FAILED'
  | 'DEVICE_FAILED'
  | 'REPORT_MALFORMED'
  | 'REPORT_OF_ANOTHER_REQUEST'
  | 'CERTIFICATE_TABLE_MALFORMED'
  | 'FIRMWARE_LOG_MALFORMED'
  | 'TPM_FAILED'
  | 'METADATA_REPLY_MALFORMED'
  | 'REGISTER_FAILED'
  | 'EVENT_LOG_MALFORMED'
  | 'EVENT_LOG_FAILED'
  | 'EVENT_LOG_DISAGREES';

/**
 * What each failure is to a caller; a failure of these modules does not compile until it is in one of the two tables.
 * Upstream's agent says INTERNAL of all of them.
 */
const RPC_CODE_OF: Readonly<Record<Exclude<AgentCode, InternalCode>, RpcCode>> = {
  // What the caller asked for.
  TOKEN_TYPE_UNKNOWN: 'INVALID_ARGUMENT',
  REPORT_DATA_TOO_LONG: 'INVALID_ARGUMENT',
  EVENT_TOKEN_MALFORMED: 'INVALID_ARGUMENT',
  EVENT_CONTENT_MALFORMED: 'INVALID_ARGUMENT',
  EVENT_TOO_LARGE: 'INVALID_ARGUMENT',
  REGISTER_UNKNOWN: 'INVALID_ARGUMENT',
  INIT_DATA_MALFORMED: 'INVALID_ARGUMENT',
  INIT_DATA_VERSION_UNSUPPORTED: 'INVALID_ARGUMENT',
  INIT_DATA_ALGORITHM_UNSUPPORTED: 'INVALID_ARGUMENT',
  INIT_DATA_DIGEST_SIZE: 'INVALID_ARGUMENT',
  REGISTER_RESERVED: 'PERMISSION_DENIED',
  EVENT_LOG_FULL: 'RESOURCE_EXHAUSTED',
  RESOURCE_NOT_FOUND: 'NOT_FOUND',
  PLUGIN_NOT_FOUND: 'NOT_FOUND',
  // A server said no to this guest.
  ATTESTATION_REFUSED: 'PERMISSION_DENIED',
  POLICY_DENIED: 'PERMISSION_DENIED',
  NONCE_REFUSED: 'UNAUTHENTICATED',
  UNAUTHENTICATED: 'UNAUTHENTICATED',
  CREDENTIALS_REFUSED: 'UNAUTHENTICATED',
  // Later it may go well.
  SERVER_UNREACHABLE: 'UNAVAILABLE',
  SERVER_OVERLOADED: 'UNAVAILABLE',
  SERVER_FAILED: 'UNAVAILABLE',
  DEADLINE_EXCEEDED: 'DEADLINE_EXCEEDED',
  TSM_CONTESTED: 'UNAVAILABLE',
  TPM_DEADLINE_EXCEEDED: 'UNAVAILABLE',
  METADATA_SERVICE_UNAVAILABLE: 'UNAVAILABLE',
  REGISTER_UNAVAILABLE: 'UNAVAILABLE',
  // Somebody has to configure or launch something otherwise.
  TOKEN_SOURCE_NOT_CONFIGURED: 'FAILED_PRECONDITION',
  TOKEN_FILE_UNREADABLE: 'FAILED_PRECONDITION',
  SERVER_NOT_CONFIGURED: 'FAILED_PRECONDITION',
  CERTIFICATE_UNTRUSTED: 'FAILED_PRECONDITION',
  PIN_MISMATCH: 'FAILED_PRECONDITION',
  REDIRECT_REFUSED: 'FAILED_PRECONDITION',
  PROTOCOL_VERSION_MISMATCH: 'FAILED_PRECONDITION',
  TEE_NOT_FOUND: 'FAILED_PRECONDITION',
  TEE_UNKNOWN: 'FAILED_PRECONDITION',
  TEE_UNSUPPORTED: 'FAILED_PRECONDITION',
  TSM_UNAVAILABLE: 'FAILED_PRECONDITION',
  DEVICE_UNAVAILABLE: 'FAILED_PRECONDITION',
  DEVICE_CALLS_UNAVAILABLE: 'FAILED_PRECONDITION',
  REPORT_UNSUPPORTED: 'FAILED_PRECONDITION',
  TPM_TOOLS_UNAVAILABLE: 'FAILED_PRECONDITION',
  INIT_DATA_MISMATCH: 'FAILED_PRECONDITION',
  INIT_DATA_BINDING_UNSUPPORTED: 'UNIMPLEMENTED',
};
const CODES: ReadonlyMap<string, RpcCode> = new Map(Object.entries(RPC_CODE_OF));

/**
 * A failure as the caller hears it: upstream's words, and our code behind them as `reasonOf` reads it. What happened in detail is the
 * cause, which is logged and never sent.
 */
export function toCallFailure(brief: string, error: unknown): RpcError {
  if (error instanceof RpcError) return error;
  const [code, reason] = isCodedError(error)
    ? [CODES.get(error.code) ?? 'INTERNAL', error.code]
    : (['INTERNAL', 'INTERNAL'] as const);
  return new RpcError(code, `${brief} (${reason})`, { cause: error });
}
