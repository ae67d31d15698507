import { AdminError } from '../admin/admin-error.ts';
import { AttestationRequestError } from '../attestation/request-error.ts';
import { CodedError } from '../errors/coded-error.ts';
import { CouldNotCheckError } from '../errors/could-not-check-error.ts';
import { DecidedError } from '../errors/decided-error.ts';
import { MalformedError } from '../errors/malformed-error.ts';
import { PolicyError, type PolicyErrorCode } from '../policy/policy.ts';
import { KBS_ERROR_TYPE_PREFIX, type KbsErrorReply } from '../protocol/kbs-error.ts';
import { ResourceError, type ResourceErrorCode } from '../resources/resource-path.ts';
import { TeeKeyError } from '../token/tee-public-key.ts';
import { TokenError } from '../token/token-error.ts';
import { KbsError, type KbsErrorCode } from './kbs-error.ts';

/** Upstream's error types that we answer with; clients know them. */
export type KbsErrorType =
  | 'AdminAuthAccess'
  | 'AttestationError'
  | 'InvalidRequestPath'
  | 'JweError'
  | 'ParsePolicyError'
  | 'PluginInternalError'
  | 'PluginNotFound'
  | 'PolicyDeny'
  | 'PolicyEngineError'
  | 'RvpsError'
  | 'TokenNotFound'
  | 'TokenVerifierError';

/** A reply to be sent: status, headers, and the body that clients parse whatever the status. */
export interface KbsReply {
  readonly status: number;
  readonly code: string;
  readonly decisionId: string | undefined;
  /** Seconds after which trying again may help. */
  readonly retryAfter: number | undefined;
  readonly body: KbsErrorReply;
}

interface Row {
  readonly status: number;
  readonly type: KbsErrorType;
}

/** Guest components attest anew on 401, so it is kept for what that can mend, and for what their tests expect. */
const OF_KBS_ERROR: Readonly<Record<KbsErrorCode, Row>> = {
  PROTOCOL_VERSION_MISMATCH: { status: 401, type: 'AttestationError' },
  TEE_UNKNOWN: { status: 401, type: 'AttestationError' },
  HASH_ALGORITHM_NOT_OFFERED: { status: 401, type: 'AttestationError' },
  SESSION_MISSING: { status: 401, type: 'AttestationError' },
  SESSION_AMBIGUOUS: { status: 401, type: 'AttestationError' },
  SESSION_ALREADY_ATTESTED: { status: 401, type: 'AttestationError' },
  HANDSHAKE_INVALID: { status: 401, type: 'AttestationError' },
  NONCE_MISMATCH: { status: 401, type: 'AttestationError' },
  ADDITIONAL_EVIDENCE_MALFORMED: { status: 401, type: 'AttestationError' },
  INIT_DATA_FORMAT_UNSUPPORTED: { status: 401, type: 'AttestationError' },
  TOKEN_NOT_FOUND: { status: 401, type: 'TokenNotFound' },
  POLICY_DENIED: { status: 401, type: 'PolicyDeny' },
  RESOURCE_NOT_FOUND: { status: 404, type: 'PluginInternalError' },
  PLUGIN_NOT_FOUND: { status: 404, type: 'PluginNotFound' },
  REFERENCE_VALUE_NOT_FOUND: { status: 404, type: 'RvpsError' },
  REQUEST_PATH_MALFORMED: { status: 400, type: 'InvalidRequestPath' },
  QUERY_MALFORMED: { status: 400, type: 'InvalidRequestPath' },
  METHOD_NOT_ALLOWED: { status: 405, type: 'InvalidRequestPath' },
  CONTENT_ENCODING_UNSUPPORTED: { status: 415, type: 'InvalidRequestPath' },
};

const OF_RESOURCE_ERROR: Readonly<Record<ResourceErrorCode, Row>> = {
  RESOURCE_PATH_INVALID: { status: 400, type: 'InvalidRequestPath' },
  RESOURCE_TOO_LARGE: { status: 413, type: 'PluginInternalError' },
};

/** A policy that is sent to us and bad is its sender's fault; one that fails while it judges is ours. */
const STATUS_OF_POLICY_ERROR: Readonly<Record<PolicyErrorCode, number>> = {
  POLICY_NAME_INVALID: 400,
  POLICY_DOES_NOT_COMPILE: 400,
  POLICY_LACKS_CONTRACT: 400,
  POLICY_TOO_LARGE: 413,
  POLICY_COMPILER_UNAVAILABLE: 503,
  POLICY_DEADLINE_EXCEEDED: 503,
  POLICY_NOT_FOUND: 500,
  POLICY_EVALUATION_FAILED: 500,
  POLICY_RESULT_INVALID: 500,
};

const RETRY_AFTER_SECONDS = 1;

/**
 * Turns whatever went wrong below /kbs/v0/ into a reply. `fallback` is the type of the errors that belong to the route
 * rather than to a class of their own. What is not known here is our own failure: it tells the client nothing.
 */
export function kbsErrorReply(error: unknown, fallback: KbsErrorType): KbsReply {
  const decisionId = error instanceof DecidedError ? error.decisionId : undefined;
  const cause = error instanceof DecidedError ? error.cause : error;
  const { status, type, code, message } = describe(cause, fallback, decisionId !== undefined);
  return {
    status,
    code,
    decisionId,
    retryAfter: status === 503 || status === 429 ? RETRY_AFTER_SECONDS : undefined,
    body: {
      type: KBS_ERROR_TYPE_PREFIX + type,
      detail: decisionId === undefined ? message : `${message} (decision ${decisionId})`,
    },
  };
}

interface Description extends Row {
  readonly code: string;
  readonly message: string;
}

function describe(error: unknown, fallback: KbsErrorType, isDecided: boolean): Description {
  if (!(error instanceof CodedError)) return describeForeign(error, fallback);
  const row = rowOfBroker(error) ?? rowOfStage(error, fallback, isDecided);
  if (row === undefined) return describeForeign(error, fallback);
  return { ...row, code: String(error.code), message: error.message };
}

/** Errors that mean the same on every route. */
function rowOfBroker(error: Error): Row | undefined {
  if (error instanceof KbsError) return OF_KBS_ERROR[error.code];
  if (error instanceof ResourceError) return OF_RESOURCE_ERROR[error.code];
  if (error instanceof AdminError) return { status: 401, type: 'AdminAuthAccess' };
  if (error instanceof TokenError) return { status: 401, type: 'TokenVerifierError' };
  if (error instanceof TeeKeyError) {
    return {
      status: 401,
      type: error.code === 'TEE_KEY_ALGORITHM_UNSUPPORTED' ? 'JweError' : 'TokenVerifierError',
    };
  }
  return undefined;
}

/** Errors of the stages that a route used. */
function rowOfStage(error: Error, fallback: KbsErrorType, isDecided: boolean): Row | undefined {
  const isAttestation = fallback === 'AttestationError';
  if (error instanceof CouldNotCheckError) return { status: 503, type: fallback };
  if (error instanceof PolicyError) {
    return {
      status: STATUS_OF_POLICY_ERROR[error.code],
      type: isAttestation ? fallback : 'PolicyEngineError',
    };
  }
  // What the attestation service decided: the evidence is bad, whatever in it was.
  if (isAttestation && (isDecided || error instanceof AttestationRequestError))
    return { status: 401, type: fallback };
  if (error instanceof MalformedError) return { status: 400, type: fallback };
  return undefined;
}

/** The web framework's own refusals carry a status; everything else is a failure of ours. */
function describeForeign(error: unknown, fallback: KbsErrorType): Description {
  if (error instanceof Error && 'statusCode' in error && typeof error.statusCode === 'number') {
    const { statusCode: status, message } = error;
    if (status >= 400 && status < 500) return { status, type: fallback, code: codeOf(status), message };
  }
  return {
    status: 500,
    type: fallback,
    code: 'INTERNAL_ERROR',
    message: 'the server failed; its log says why',
  };
}

function codeOf(status: number): string {
  switch (status) {
    case 413:
      return 'BODY_TOO_LARGE';
    case 415:
      return 'MEDIA_TYPE_UNSUPPORTED';
    case 429:
      return 'TOO_MANY_REQUESTS';
    default:
      return 'REQUEST_MALFORMED';
  }
}
