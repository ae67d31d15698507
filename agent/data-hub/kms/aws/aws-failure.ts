import { KmsError, type KmsErrorCode } from '../kms.ts';

/** Who asks is not known, or may not. */
const DENIED =
  /^(?:AccessDenied|UnrecognizedClient|InvalidClientTokenId|InvalidSignature|SignatureDoesNotMatch|IncompleteSignature|ExpiredToken|MissingAuthenticationToken|OptInRequired|NotAuthorized)/;
const OVERLOADED =
  /Throttl|TooManyRequests|LimitExceeded|RequestLimit|SlowDown|KMSInternal|KeyUnavailable|DependencyTimeout/;

/** What an error of the vendor's SDK tells of its request, by the names and statuses of the service. */
interface SdkError extends Error {
  readonly $metadata?: { readonly httpStatusCode?: number };
  readonly $fault?: unknown;
}

/**
 * An error of the vendor's SDK as ours. Its message stays out of ours and its cause: it names identities and keys.
 */
export function awsFailure(error: unknown): KmsError {
  const { name, status, isOfService } = readError(error);
  const code = isOfService ? codeOfService(name, status) : codeOfTransport(name, status);
  return new KmsError(code, `AWS: expected an answer that can be used, got ${shown(name)}`);
}

function readError(error: unknown): {
  readonly name: string;
  readonly status: number;
  readonly isOfService: boolean;
} {
  if (!(error instanceof Error)) return { name: 'something else', status: 0, isOfService: false };
  const { name, $metadata, $fault } = error as SdkError;
  return { name, status: $metadata?.httpStatusCode ?? 0, isOfService: $fault !== undefined };
}

function codeOfService(name: string, status: number): KmsErrorCode {
  if (status >= 500 || status === 429 || OVERLOADED.test(name)) return 'KMS_UNAVAILABLE';
  if (DENIED.test(name) || status === 401 || status === 403) return 'KMS_DENIED';
  return name.includes('NotFound') || status === 404 ? 'KMS_NOT_FOUND' : 'KMS_REQUEST_REFUSED';
}

/** No error of the service: its answer was not read, or did not come. */
function codeOfTransport(name: string, status: number): KmsErrorCode {
  if (status >= 500 || status === 0)
    return name === 'SyntaxError' ? 'KMS_ANSWER_MALFORMED' : 'KMS_UNAVAILABLE';
  return 'KMS_ANSWER_MALFORMED';
}

function shown(name: string): string {
  return name.replaceAll(/[^A-Za-z0-9 ]/g, '?').slice(0, 64);
}
