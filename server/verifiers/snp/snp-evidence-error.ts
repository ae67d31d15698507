import { CodedError } from '../../errors/coded-error.ts';

export type SnpEvidenceErrorCode =
  | 'EVIDENCE_MALFORMED'
  | 'REPORT_VERSION_UNSUPPORTED'
  | 'GUEST_POLICY_MALFORMED'
  | 'KEY_INFO_MALFORMED'
  | 'PRODUCT_UNSUPPORTED'
  | 'PRODUCT_MISMATCH'
  | 'SIGNING_KEY_UNSUPPORTED'
  | 'SIGNING_KEY_MISMATCH'
  | 'ENDORSEMENT_KEY_MISSING'
  | 'ENDORSEMENT_KEY_AMBIGUOUS'
  | 'ENDORSEMENT_KEY_MALFORMED'
  | 'CHIP_ID_MASKED'
  | 'CHIP_ID_MISMATCH'
  | 'TCB_MISMATCH'
  | 'TCB_ORDER_VIOLATED'
  | 'SIGNATURE_ALGORITHM_UNSUPPORTED'
  | 'SIGNATURE_MALFORMED'
  | 'SIGNATURE_INVALID'
  | 'VMPL_NOT_ALLOWED'
  | 'REPORT_DATA_MISMATCH'
  | 'INIT_DATA_MISMATCH';

/** The guest sent SNP evidence that we reject. Never a failure of ours: see CouldNotCheckError. */
export class SnpEvidenceError extends CodedError<SnpEvidenceErrorCode> {}
