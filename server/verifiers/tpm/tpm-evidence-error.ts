import { CodedError } from '../../errors/coded-error.ts';

export type TpmEvidenceErrorCode =
  | 'EVIDENCE_MALFORMED'
  | 'AK_NOT_TRUSTED'
  | 'AK_CERTIFICATE_MISMATCH'
  | 'AK_CERTIFICATE_UNSUITABLE'
  | 'EK_CERTIFICATE_UNSUITABLE'
  | 'ACTIVATION_NONCE_MISSING'
  | 'ACTIVATION_SECRET_MISMATCH';

/** The guest sent evidence of a TPM that we reject. Never a failure of ours. */
export class TpmEvidenceError extends CodedError<TpmEvidenceErrorCode> {}
