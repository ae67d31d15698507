import type { AdminErrorCode } from '../admin/admin-error.ts';
import type { AttestationRequestErrorCode } from '../attestation/request-error.ts';
import type { CouldNotCheckCode } from '../errors/could-not-check-error.ts';
import type { MalformedCode } from '../errors/malformed-error.ts';
import type { EventLogErrorCode } from '../event-log/event-log-error.ts';
import type { NonceErrorCode } from '../freshness/nonce.ts';
import type { QuoteErrorCode } from '../intel-dcap/quote-error.ts';
import type { TcbErrorCode } from '../intel-dcap/tcb-error.ts';
import type { PolicyErrorCode } from '../policy/policy.ts';
import type { AzureEvidenceErrorCode } from '../tpm/azure-evidence-error.ts';
import type { TpmErrorCode } from '../tpm/tpm-error.ts';
import type { SampleEvidenceErrorCode } from '../verifiers/sample/sample-evidence-error.ts';
import type { SgxEvidenceErrorCode } from '../verifiers/sgx/sgx-evidence-error.ts';
import type { SnpEvidenceErrorCode } from '../verifiers/snp/snp-evidence-error.ts';
import type { TdxEvidenceErrorCode } from '../verifiers/tdx/tdx-evidence-error.ts';
import type { TpmEvidenceErrorCode } from '../verifiers/tpm/tpm-evidence-error.ts';
import type { X509ErrorCode } from '../x509/x509-error.ts';

type PublicCode =
  | 'NOT_FOUND'
  | 'COLLATERAL_UNRECOGNIZED'
  | 'EXTENSION_NAME_RESERVED'
  | AdminErrorCode
  | AttestationRequestErrorCode
  | CouldNotCheckCode
  | EventLogErrorCode
  | MalformedCode
  | NonceErrorCode
  | PolicyErrorCode
  | SampleEvidenceErrorCode
  | SnpEvidenceErrorCode
  | QuoteErrorCode
  | TcbErrorCode
  | TdxEvidenceErrorCode
  | SgxEvidenceErrorCode
  | TpmErrorCode
  | AzureEvidenceErrorCode
  | TpmEvidenceErrorCode
  | X509ErrorCode;

/**
 * Every code that a client may see. A new code does not compile until it has a status here. 400: malformed. 401: not
 * genuine, not bound, not allowed. 409: a nonce that proves no freshness. 422: well-formed, but not what this server does.
 */
const STATUS_OF_CODE: Readonly<Record<PublicCode, number>> = {
  NOT_FOUND: 404,
  COLLATERAL_UNRECOGNIZED: 422,
  EXTENSION_NAME_RESERVED: 500,

  ADMIN_ACCESS_DISABLED: 403,
  ADMIN_ROLE_NOT_ALLOWED: 403,
  ADMIN_TOKEN_MISSING: 401,
  ADMIN_TOKEN_REFUSED: 401,

  TEE_UNKNOWN: 422,
  TEE_NOT_ENABLED: 422,
  EVIDENCE_TOO_LARGE: 413,
  HASH_ALGORITHM_UNKNOWN: 422,
  RUNTIME_DATA_NOT_CANONICAL: 422,
  INIT_DATA_INVALID: 422,
  NONCE_REQUIRED: 401,
  NONCES_DIFFER: 401,

  NONCE_EXPIRED: 409,
  NONCE_ALREADY_USED: 409,
  NONCE_OTHER_TEE: 401,

  TRUNCATED: 400,
  TRAILING_BYTES: 400,
  RESERVED_NOT_ZERO: 400,
  ENCODING_MALFORMED: 400,
  JSON_MALFORMED: 400,
  JSON_TOO_DEEP: 400,
  JSON_TOO_LARGE: 400,
  JSON_DUPLICATE_KEY: 400,
  JSON_FORBIDDEN_KEY: 400,

  COLLATERAL_UNAVAILABLE: 503,
  COLLATERAL_EXPIRED: 503,
  REVOCATION_LIST_UNAVAILABLE: 503,
  REVOCATION_LIST_EXPIRED: 503,
  STORAGE_UNAVAILABLE: 503,
  POLICY_UNAVAILABLE: 503,
  ISSUER_KEYS_UNAVAILABLE: 503,
  OVERLOADED: 503,
  SHUTTING_DOWN: 503,

  // A policy that a client sends and that is bad is its fault; one that fails while it judges is the operator's.
  POLICY_NOT_FOUND: 404,
  POLICY_NAME_INVALID: 422,
  POLICY_TOO_LARGE: 413,
  POLICY_DOES_NOT_COMPILE: 422,
  POLICY_LACKS_CONTRACT: 422,
  POLICY_COMPILER_UNAVAILABLE: 503,
  POLICY_EVALUATION_FAILED: 500,
  POLICY_DEADLINE_EXCEEDED: 503,
  POLICY_RESULT_INVALID: 500,

  SAMPLE_EVIDENCE_INVALID: 400,
  SAMPLE_REPORT_DATA_MISMATCH: 401,

  EVIDENCE_MALFORMED: 400,
  REPORT_VERSION_UNSUPPORTED: 422,
  GUEST_POLICY_MALFORMED: 400,
  KEY_INFO_MALFORMED: 400,
  PRODUCT_UNSUPPORTED: 422,
  PRODUCT_MISMATCH: 401,
  SIGNING_KEY_UNSUPPORTED: 401,
  SIGNING_KEY_MISMATCH: 401,
  ENDORSEMENT_KEY_MISSING: 401,
  ENDORSEMENT_KEY_AMBIGUOUS: 401,
  ENDORSEMENT_KEY_MALFORMED: 401,
  CHIP_ID_MASKED: 401,
  CHIP_ID_MISMATCH: 401,
  TCB_MISMATCH: 401,
  TCB_ORDER_VIOLATED: 401,
  SIGNATURE_ALGORITHM_UNSUPPORTED: 401,
  SIGNATURE_MALFORMED: 401,
  SIGNATURE_INVALID: 401,
  VMPL_NOT_ALLOWED: 401,
  REPORT_DATA_MISMATCH: 401,
  INIT_DATA_MISMATCH: 401,

  TD_QUOTE_EXPECTED: 422,
  SGX_QUOTE_EXPECTED: 422,
  QUOTE_TOO_LARGE: 413,
  QUOTE_VERSION_UNSUPPORTED: 422,
  QUOTE_TEE_UNSUPPORTED: 422,
  QUOTE_BODY_UNSUPPORTED: 422,
  QUOTE_BODY_SIZE_MISMATCH: 400,
  ATTESTATION_KEY_TYPE_UNSUPPORTED: 422,
  ATTESTATION_KEY_MALFORMED: 400,
  ATTESTATION_KEY_NOT_BOUND: 401,
  CERTIFICATION_DATA_UNSUPPORTED: 422,
  QE_VENDOR_UNKNOWN: 401,
  QE_REPORT_SIGNATURE_INVALID: 401,
  QUOTE_SIGNATURE_INVALID: 401,
  PCK_CHAIN_MALFORMED: 400,
  PCK_EXTENSION_MALFORMED: 400,
  COLLATERAL_MALFORMED: 401,
  COLLATERAL_FORGED: 401,
  TCB_INFO_VERSION_UNSUPPORTED: 422,
  TCB_INFO_MISMATCH: 401,
  QE_IDENTITY_VERSION_UNSUPPORTED: 422,
  QE_IDENTITY_MISMATCH: 401,
  REVOCATION_LIST_MISMATCH: 401,
  PCK_REVOKED: 401,
  PCK_AUTHORITY_REVOKED: 401,
  TCB_SIGNER_REVOKED: 401,
  TDX_MODULE_MISMATCH: 401,
  TCB_LEVEL_NOT_FOUND: 401,
  TCB_REVOKED: 401,

  QUOTE_MALFORMED: 400,
  QUOTE_MAGIC_MISMATCH: 401,
  QUOTE_TYPE_MISMATCH: 401,
  PCR_SELECTION_MALFORMED: 400,
  PCR_BANK_UNSUPPORTED: 422,
  PCR_SELECTION_MISMATCH: 401,
  PCR_DIGEST_MISMATCH: 401,
  INIT_DATA_PCR_NOT_QUOTED: 401,
  TPM_KEY_MALFORMED: 400,
  TPM_KEY_UNSUITABLE: 401,
  HCL_REPORT_MALFORMED: 400,
  HCL_VARIABLE_DATA_MALFORMED: 400,
  AK_NOT_TRUSTED: 401,
  AK_CERTIFICATE_MISMATCH: 401,
  AK_CERTIFICATE_UNSUITABLE: 401,
  EK_CERTIFICATE_UNSUITABLE: 401,
  ACTIVATION_NONCE_MISSING: 401,
  ACTIVATION_SECRET_MISMATCH: 401,
  EVIDENCE_VERSION_UNSUPPORTED: 422,
  EVIDENCE_VERSION_TOO_OLD: 401,
  RUNTIME_DATA_REQUIRED: 422,
  HARDWARE_REPORT_MISMATCH: 401,
  VARIABLE_DATA_MISMATCH: 401,
  USER_DATA_MISMATCH: 401,

  EVENT_LOG_HEADER_MALFORMED: 400,
  EVENT_LOG_DIGESTS_MALFORMED: 400,
  EVENT_LOG_TRAILING_BYTES: 400,
  EVENT_LOG_TOO_LARGE: 413,
  EVENT_LOG_ALGORITHM_UNSUPPORTED: 422,
  EVENT_LOG_DIGEST_MISSING: 422,
  EVENT_LOG_REGISTER_UNKNOWN: 401,
  EVENT_LOG_REPLAY_MISMATCH: 401,

  CERTIFICATE_MALFORMED: 400,
  CERTIFICATE_ALGORITHM_UNSUPPORTED: 401,
  CERTIFICATE_EXPIRED: 401,
  CERTIFICATE_NOT_YET_VALID: 401,
  CERTIFICATE_NOT_AUTHORITY: 401,
  CERTIFICATE_EXTENSION_UNKNOWN: 401,
  CERTIFICATE_REVOKED: 401,
  CHAIN_TOO_LONG: 401,
  CHAIN_UNTRUSTED: 401,
  CRL_MALFORMED: 400,
  CRL_UNTRUSTED: 401,
  CRL_NOT_YET_VALID: 401,
  CRL_EXPIRED: 401,
};

const statuses: ReadonlyMap<string, number> = new Map(Object.entries(STATUS_OF_CODE));

/** The HTTP status of a code; undefined for a code that no client should ever see. */
export function statusOfCode(code: string): number | undefined {
  return statuses.get(code);
}
