import type { Claims } from '../../claims/claims.ts';
import type { AzureEvidenceVersion } from '../../tpm/azure-evidence.ts';
import { proveVtpm, readHclReport, requireReportData, requireVersion } from '../../tpm/azure-vtpm.ts';
import type { Verifier } from '../verifier.ts';
import { azTdxClaims } from './claims.ts';
import { readAzTdxEvidence } from './evidence.ts';

/**
 * Proves a TD quote, which zeros may follow: certificates, collateral, quoting enclave, signatures. `reportData` is what
 * the proven quote carries, 64 bytes; the claims are those of TDX without an event log.
 */
export type ProveTdQuote = (
  quote: Uint8Array,
  at: Date,
) => Promise<{ readonly reportData: Uint8Array; readonly claims: Claims }>;

interface AzTdxVtpmVerifierOptions {
  readonly proveQuote: ProveTdQuote;
  /**
   * Evidence of version 2 alone shows that the hardware report is of this request. The version is the guest's word, so
   * that only this keeps it from sending less. 0 unless configured: guests that are in use send versions 0 and 1.
   */
  readonly minimumEvidenceVersion?: AzureEvidenceVersion;
}

/** Proves Azure confidential VMs on TDX: the quote of their paravisor, its vTPM, and a quote of that. */
export function createAzTdxVtpmVerifier(options: AzTdxVtpmVerifierOptions): Verifier {
  const { proveQuote, minimumEvidenceVersion = 0 } = options;
  return {
    async verify(evidence, { reportData: expected, initDataDigest }, at) {
      const reportData = requireReportData(expected);
      const { version, quote, hclReport: hclBytes, tdQuote } = readAzTdxEvidence(evidence);
      requireVersion(version, minimumEvidenceVersion);
      const hclReport = readHclReport(hclBytes, 'tdx');
      const td = await proveQuote(tdQuote, at);
      const proven = { version, quote, hclReport, provenReportData: td.reportData };
      const vtpm = await proveVtpm(proven, { reportData, initDataDigest });
      return [{ class: 'cpu', claims: azTdxClaims(td.claims, vtpm) }];
    },
  };
}
