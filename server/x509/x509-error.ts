import { CodedError } from '../errors/coded-error.ts';

export type X509ErrorCode =
  | 'CERTIFICATE_MALFORMED'
  | 'CERTIFICATE_ALGORITHM_UNSUPPORTED'
  | 'CERTIFICATE_EXPIRED'
  | 'CERTIFICATE_NOT_YET_VALID'
  | 'CERTIFICATE_NOT_AUTHORITY'
  | 'CERTIFICATE_EXTENSION_UNKNOWN'
  | 'CERTIFICATE_REVOKED'
  | 'CHAIN_TOO_LONG'
  | 'CHAIN_UNTRUSTED'
  | 'CRL_MALFORMED'
  | 'CRL_UNTRUSTED'
  | 'CRL_NOT_YET_VALID'
  | 'CRL_EXPIRED';

/**
 * A certificate, a chain or a revocation list that we do not accept. CRL_NOT_YET_VALID and CRL_EXPIRED say that the
 * list answers nothing now; whether that refuses or leaves the question open is for the caller to say.
 */
export class X509Error extends CodedError<X509ErrorCode> {}
