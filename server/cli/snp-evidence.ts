import type { JsonObject } from '../claims/claims.ts';
import { reportClaims } from '../verifiers/snp/claims.ts';
import { readSnpEvidence } from '../verifiers/snp/evidence.ts';
import { productOfCpuid } from '../verifiers/snp/product.ts';
import { parseSnpReport } from '../verifiers/snp/report.ts';
import type { EvidenceFile } from './command-io.ts';

/**
 * Reads SEV-SNP evidence without judging it: the JSON of the guest's attester, or the report's 1184 bytes. Reports of
 * version 2 do not say their product; they are read as Milan's, whose TCB layout is that of every product of their time.
 * Throws SnpEvidenceError, MalformedError.
 */
export function inspectSnpEvidence(evidence: EvidenceFile): JsonObject {
  const bytes = evidence.form === 'bytes' ? evidence.bytes : readSnpEvidence(evidence.document).report;
  const report = parseSnpReport(bytes);
  const product = report.cpuid === undefined ? 'Milan' : productOfCpuid(report.cpuid);
  return reportClaims(report, product);
}
