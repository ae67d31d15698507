import { CodedError } from '../errors/coded-error.ts';

export type TcbErrorCode =
  | 'COLLATERAL_MALFORMED'
  | 'COLLATERAL_FORGED'
  | 'TCB_INFO_VERSION_UNSUPPORTED'
  | 'TCB_INFO_MISMATCH'
  | 'QE_IDENTITY_VERSION_UNSUPPORTED'
  | 'QE_IDENTITY_MISMATCH'
  | 'REVOCATION_LIST_MISMATCH'
  | 'PCK_REVOKED'
  | 'PCK_AUTHORITY_REVOKED'
  | 'TCB_SIGNER_REVOKED'
  | 'TDX_MODULE_MISMATCH'
  | 'TCB_LEVEL_NOT_FOUND'
  | 'TCB_REVOKED';

/**
 * What Intel signed does not speak for this platform, speaks against it, or was not signed by Intel. That it is out of date or
 * absent is a CouldNotCheckError instead; that the platform is out of date is a claim.
 */
export class TcbError extends CodedError<TcbErrorCode> {}
