import { carries } from '../../bytes/byte-strings.ts';
import type { Verifier } from '../verifier.ts';
import { readSnpEvidence } from './evidence.ts';
import type { SnpReport } from './report.ts';
import { SnpEvidenceError } from './snp-evidence-error.ts';
import { createSnpProver, type SnpProver, type SnpProverOptions } from './snp-prover.ts';

export type SnpVerifierOptions = SnpProverOptions;

/** Proves SNP evidence of the Confidential Containers guest with a prover of its own. */
export function createSnpVerifier(options: SnpVerifierOptions): Verifier {
  return snpVerifierWith(createSnpProver(options));
}

/** The same with a prover that others use too. */
export function snpVerifierWith(prover: SnpProver): Verifier {
  return {
    async verify(evidence, expected, at) {
      const { report: reportBytes, certificates } = readSnpEvidence(evidence);
      const { report, claims } = await prover.prove(reportBytes, certificates, at);
      requireReportData(report, expected.reportData);
      requireHostData(report, expected.initDataDigest);
      return [{ class: 'cpu', claims }];
    },
  };
}

function requireReportData({ reportData }: SnpReport, expected: Uint8Array | undefined): void {
  if (expected === undefined || carries(reportData, expected)) return;
  throw new SnpEvidenceError(
    'REPORT_DATA_MISMATCH',
    `expected the report to carry the ${expected.byteLength} bytes of this request, got others`,
  );
}

/**
 * The host puts the init data digest into HOST_DATA at launch. The field holds 32 bytes; launchers cut the longer digests
 * of SHA-384 and SHA-512, whose first 256 bits still identify the init data.
 */
function requireHostData({ hostData }: SnpReport, expected: Uint8Array | undefined): void {
  if (expected === undefined) return;
  const digest = LONGER_DIGESTS.has(expected.byteLength)
    ? expected.subarray(0, hostData.byteLength)
    : expected;
  if (carries(hostData, digest)) return;
  throw new SnpEvidenceError(
    'INIT_DATA_MISMATCH',
    `expected host data to be the init data digest of this request (${expected.byteLength} bytes), got another`,
  );
}

/** Bytes of SHA-384 and SHA-512. */
const LONGER_DIGESTS: ReadonlySet<number> = new Set([48, 64]);
