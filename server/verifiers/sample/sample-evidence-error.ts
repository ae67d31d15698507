import { CodedError } from '../../errors/coded-error.ts';

export type SampleEvidenceErrorCode = 'SAMPLE_EVIDENCE_INVALID' | 'SAMPLE_REPORT_DATA_MISMATCH';

/** Sample evidence that we reject. */
export class SampleEvidenceError extends CodedError<SampleEvidenceErrorCode> {}
