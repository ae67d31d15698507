import { CodedError } from '../../errors/coded-error.ts';

export type TdxEvidenceErrorCode =
  | 'EVIDENCE_MALFORMED'
  | 'TD_QUOTE_EXPECTED'
  | 'REPORT_DATA_MISMATCH'
  | 'INIT_DATA_MISMATCH';

/** The guest sent TDX evidence that we reject. Never a failure of ours: see CouldNotCheckError. */
export class TdxEvidenceError extends CodedError<TdxEvidenceErrorCode> {}
