import type { Claims } from '../../claims/claims.ts';
import type { AzureEvidenceVersion } from '../../tpm/azure-evidence.ts';
import { proveVtpm, readHclReport, requireReportData, requireVersion } from '../../tpm/azure-vtpm.ts';
import type { Verifier } from '../verifier.ts';
import { azSnpClaims } from './claims.ts';
import { readAzSnpEvidence } from './evidence.ts';

/**
 * Proves the 1184 bytes of an SNP report by a VCEK in DER, or one that it finds: chain, chip, TCB, revocation, signature,
 * VMPL. `reportData` is what the proven report carries, 64 bytes; the claims are those of SNP.
 */
export type ProveSnpReport = (
  report: Uint8Array,
  endorsementKey: Uint8Array | undefined,
  at: Date,
) => Promise<{ readonly reportData: Uint8Array; readonly claims: Claims }>;

interface AzSnpVtpmVerifierOptions {
  readonly proveReport: ProveSnpReport;
  /**
   * Evidence of version 2 alone shows that the hardware report is of this request. The version is the guest's word, so
   * that only this keeps it from sending less. 0 unless configured: guests that are in use send versions 0 and 1.
   */
  readonly minimumEvidenceVersion?: AzureEvidenceVersion;
}

/** Proves Azure confidential VMs on SEV-SNP: the report of their paravisor, its vTPM, and a quote of that. */
export function createAzSnpVtpmVerifier(options: AzSnpVtpmVerifierOptions): Verifier {
  const { proveReport, minimumEvidenceVersion = 0 } = options;
  return {
    async verify(evidence, { reportData: expected, initDataDigest }, at) {
      const reportData = requireReportData(expected);
      const { version, quote, hclReport: hclBytes, endorsementKey } = readAzSnpEvidence(evidence);
      requireVersion(version, minimumEvidenceVersion);
      const hclReport = readHclReport(hclBytes, 'snp');
      const snp = await proveReport(hclReport.hardwareReport, endorsementKey, at);
      const proven = { version, quote, hclReport, provenReportData: snp.reportData };
      const vtpm = await proveVtpm(proven, { reportData, initDataDigest });
      return [{ class: 'cpu', claims: azSnpClaims(snp.claims, vtpm) }];
    },
  };
}
