import { isCodedError } from '../../server/errors/coded-error.ts';
import type { MalformedCode } from '../../server/errors/malformed-error.ts';
import type { ClientErrorCode } from '../client-error.ts';
import type { ResourceServerErrorCode } from '../kbs-client/resource-servers.ts';
import type { ResourceUriErrorCode } from '../resource-uri.ts';
import { type RpcCode, RpcError } from '../rpc/rpc-error.ts';
import type { TeeKeyErrorCode } from '../tee-key/tee-key-error.ts';
import type { ContentCipherErrorCode } from './content-cipher.ts';
import type { AttestationAgentErrorCode } from './get-resource/attestation-agent.ts';
import type { OfflineResourceErrorCode } from './get-resource/offline-resources.ts';
import type { KeyUnwrapErrorCode } from './key-unwrap/key-unwrap-error.ts';
import type { KmsErrorCode } from './kms/kms.ts';
import type { SealedSecretErrorCode } from './sealed-secret/sealed-secret-error.ts';

/** What upstream's hub says of a failed call; callers have been seen to look for these words. */
export const BRIEFS = {
  getResource: '[CDH] [ERROR]: Get Resource failed',
  unsealSecret: '[CDH] [ERROR]: Unseal Secret failed',
  unwrapKey: '[CDH] [ERROR]: Decrypt Image (UnwrapKey) failed',
  unwrapKeyRequest: '[ERROR] UnwrapKey Parse request failed',
} as const;

type HubCode =
  | ClientErrorCode
  | ResourceServerErrorCode
  | ResourceUriErrorCode
  | TeeKeyErrorCode
  | MalformedCode
  | AttestationAgentErrorCode
  | OfflineResourceErrorCode
  | SealedSecretErrorCode
  | ContentCipherErrorCode
  | KeyUnwrapErrorCode
  | KmsErrorCode;

/**
 * What each failure is to a caller; INTERNAL when not here, as the failures of a provider's driver are. A failure of
 * these modules does not compile until it is in one of the two tables.
 */
type Told = Exclude<HubCode, InternalCode>;
type InternalCode =
  | 'PLUGIN_FAILED'
  | 'REPLY_TOO_LARGE'
  | 'REPLY_MALFORMED'
  | 'HASH_ALGORITHM_UNSUPPORTED'
  | 'RESOURCE_NOT_SEALED'
  | 'TOKEN_MALFORMED'
  | 'TOKEN_EXPIRED_ON_ARRIVAL'
  | 'TOKEN_NOT_YET_VALID'
  | 'TOKEN_WITHOUT_OUR_KEY'
  | 'ATTESTATION_AGENT_REPLY_MALFORMED'
  | 'OFFLINE_FILE_MALFORMED'
  | 'KMS_ANSWER_MALFORMED'
  | MalformedCode
  | TeeKeyErrorCode;

const RPC_CODE_OF: Readonly<Record<Told, RpcCode>> = {
  // What was asked for is no name, or nothing that can be opened.
  RESOURCE_URI_MALFORMED: 'INVALID_ARGUMENT',
  RESOURCE_URI_SCHEME: 'INVALID_ARGUMENT',
  RESOURCE_URI_PLUGIN_MISSING: 'INVALID_ARGUMENT',
  RESOURCE_URI_PATH_REFUSED: 'INVALID_ARGUMENT',
  REQUEST_REFUSED: 'INVALID_ARGUMENT',
  SEALED_SECRET_MALFORMED: 'INVALID_ARGUMENT',
  SEALED_SECRET_HEADER_MALFORMED: 'INVALID_ARGUMENT',
  SEALED_SECRET_ALGORITHM_UNSUPPORTED: 'INVALID_ARGUMENT',
  SEALED_SECRET_PAYLOAD_MALFORMED: 'INVALID_ARGUMENT',
  SEALED_SECRET_VERSION_UNSUPPORTED: 'INVALID_ARGUMENT',
  SEALED_SECRET_TYPE_UNSUPPORTED: 'INVALID_ARGUMENT',
  KEY_UNWRAP_INPUT_MALFORMED: 'INVALID_ARGUMENT',
  KEY_UNWRAP_OPERATION_UNSUPPORTED: 'INVALID_ARGUMENT',
  ANNOTATION_PACKET_MALFORMED: 'INVALID_ARGUMENT',
  ANNOTATION_PACKET_VERSION_UNSUPPORTED: 'INVALID_ARGUMENT',
  CONTENT_KEY_LENGTH_WRONG: 'INVALID_ARGUMENT',
  CONTENT_IV_LENGTH_WRONG: 'INVALID_ARGUMENT',
  CONTENT_TRUNCATED: 'INVALID_ARGUMENT',
  CONTENT_TAMPERED: 'INVALID_ARGUMENT',
  PROVIDER_SETTINGS_MALFORMED: 'INVALID_ARGUMENT',
  PROVIDER_ANNOTATIONS_MALFORMED: 'INVALID_ARGUMENT',
  KMS_NAME_REFUSED: 'INVALID_ARGUMENT',
  KMS_REQUEST_REFUSED: 'INVALID_ARGUMENT',
  // It is not there.
  RESOURCE_NOT_FOUND: 'NOT_FOUND',
  PLUGIN_NOT_FOUND: 'NOT_FOUND',
  OFFLINE_RESOURCE_NOT_FOUND: 'NOT_FOUND',
  KMS_NOT_FOUND: 'NOT_FOUND',
  // It is not for this guest.
  POLICY_DENIED: 'PERMISSION_DENIED',
  RESOURCE_SERVER_UNKNOWN: 'PERMISSION_DENIED',
  PLUGIN_NOT_ALLOWED: 'PERMISSION_DENIED',
  SIGNING_KEY_NOT_ALLOWED: 'PERMISSION_DENIED',
  SEALED_SECRET_SIGNATURE_INVALID: 'PERMISSION_DENIED',
  ATTESTATION_REFUSED: 'PERMISSION_DENIED',
  KMS_DENIED: 'PERMISSION_DENIED',
  UNAUTHENTICATED: 'UNAUTHENTICATED',
  CREDENTIALS_REFUSED: 'UNAUTHENTICATED',
  NONCE_REFUSED: 'UNAUTHENTICATED',
  // Later it may go well.
  SERVER_UNREACHABLE: 'UNAVAILABLE',
  SERVER_OVERLOADED: 'UNAVAILABLE',
  SERVER_FAILED: 'UNAVAILABLE',
  ATTESTATION_AGENT_UNAVAILABLE: 'UNAVAILABLE',
  KMS_UNAVAILABLE: 'UNAVAILABLE',
  DEADLINE_EXCEEDED: 'DEADLINE_EXCEEDED',
  // Somebody has to configure something first.
  SERVER_NOT_CONFIGURED: 'FAILED_PRECONDITION',
  CERTIFICATE_UNTRUSTED: 'FAILED_PRECONDITION',
  PIN_MISMATCH: 'FAILED_PRECONDITION',
  REDIRECT_REFUSED: 'FAILED_PRECONDITION',
  PROTOCOL_VERSION_MISMATCH: 'FAILED_PRECONDITION',
  ATTESTATION_AGENT_REFUSED: 'FAILED_PRECONDITION',
  SIGNING_KEY_NOT_FOUND: 'FAILED_PRECONDITION',
  SIGNING_KEY_MALFORMED: 'FAILED_PRECONDITION',
  PROVIDER_UNKNOWN: 'FAILED_PRECONDITION',
  PROVIDER_CANNOT_DECRYPT: 'FAILED_PRECONDITION',
  PROVIDER_CANNOT_ENCRYPT: 'FAILED_PRECONDITION',
  PROVIDER_CANNOT_GET: 'FAILED_PRECONDITION',
  PROVIDER_PACKAGE_MISSING: 'FAILED_PRECONDITION',
  CREDENTIALS_MISSING: 'FAILED_PRECONDITION',
  CREDENTIALS_MALFORMED: 'FAILED_PRECONDITION',
  KMS_UNTRUSTED: 'FAILED_PRECONDITION',
};
const CODES: ReadonlyMap<string, RpcCode> = new Map(Object.entries(RPC_CODE_OF));

/**
 * A failure as the caller hears it: upstream's words, and our code behind them as `reasonOf` reads it. What happened in detail is the
 * cause, which is logged and never sent. What is no error of ours stays what it was.
 */
export function toCallFailure(brief: string, error: unknown): unknown {
  if (!isCodedError(error) || error instanceof RpcError) return error;
  return new RpcError(CODES.get(error.code) ?? 'INTERNAL', `${brief} (${error.code})`, { cause: error });
}
