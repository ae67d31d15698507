import { z } from 'zod';
import { bytesEqual } from '../../bytes/byte-strings.ts';
import { fromBase64, toBase64 } from '../../bytes/encoding.ts';
import type { Claims } from '../../claims/claims.ts';
import type { ExpectedBinding, ProvenClaims, Verifier } from '../verifier.ts';
import { SampleEvidenceError } from './sample-evidence-error.ts';

const MAX_TEXT = 1024;

/** What the sample attester of Confidential Containers sends. Further members are ignored, as upstream ignores them. */
const evidenceSchema = z.object({
  svn: z.string().max(MAX_TEXT),
  report_data: z.string().max(MAX_TEXT).default(''),
});
type SampleEvidence = z.output<typeof evidenceSchema>;

/** Stands for a confidential VM. Unsigned: it proves nothing, and is wired only by a switch that is long to type. */
export const sampleVerifier: Verifier = {
  async verify(evidence, expected) {
    const sample = parseSample(evidence);
    verifyReportData(sample, expected);
    return [{ class: 'cpu', claims: sampleClaims(sample, expected) }];
  },
};

/** Stands for a confidential device, a GPU for example. Unsigned like the sample TEE. */
export const sampleDeviceVerifier: Verifier = {
  async verify(evidence, expected): Promise<readonly [ProvenClaims]> {
    const sample = parseSample(evidence);
    verifyReportData(sample, expected);
    return [{ class: 'gpu', claims: { svn: sample.svn, report_data: sample.report_data } }];
  },
};

function parseSample(evidence: unknown): SampleEvidence {
  const parsed = evidenceSchema.safeParse(evidence);
  if (!parsed.success) {
    throw new SampleEvidenceError(
      'SAMPLE_EVIDENCE_INVALID',
      `sample evidence: ${z.prettifyError(parsed.error)}`,
    );
  }
  return parsed.data;
}

/** Exact: the sample TEE has no report data field of a fixed length that would be padded. */
function verifyReportData(sample: SampleEvidence, expected: ExpectedBinding): void {
  if (expected.reportData === undefined) return;
  if (!bytesEqual(fromBase64(sample.report_data), expected.reportData)) {
    throw new SampleEvidenceError(
      'SAMPLE_REPORT_DATA_MISMATCH',
      'expected report_data to be the digest of the runtime data, got other bytes',
    );
  }
}

function sampleClaims(sample: SampleEvidence, expected: ExpectedBinding): Claims {
  return {
    debug: false,
    launch_digest: 'abcde',
    platform_version: { major: 1, minor: 4 },
    report_data: sample.report_data,
    svn: sample.svn,
    ...(expected.initDataDigest !== undefined && { init_data: toBase64(expected.initDataDigest) }),
  };
}
