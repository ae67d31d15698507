import { bytesEqual, padTo } from '../bytes/byte-strings.ts';
import type { Claims } from '../claims/claims.ts';
import type { AzureEvidenceVersion } from './azure-evidence.ts';
import { AzureEvidenceError } from './azure-evidence-error.ts';
import { type HclReport, type HclReportType, parseHclReport, vouchesFor } from './hcl-report.ts';
import { type HclVariableData, readHclVariableData } from './hcl-variable-data.ts';
import { bindingClaims, pcrClaims, requireExtraData, requireInitDataPcr } from './quote-binding.ts';
import { sha256Pcrs, type TpmQuote, verifyQuote } from './quote-verification.ts';

interface VtpmEvidence {
  readonly version: AzureEvidenceVersion;
  readonly quote: TpmQuote;
  /** The 64 bytes of report data in a hardware report that is proven. */
  readonly provenReportData: Uint8Array;
  readonly hclReport: HclReport;
}

/** What the evidence has to carry. */
interface VtpmBinding {
  readonly reportData: Uint8Array;
  readonly initDataDigest: Uint8Array | undefined;
}

/** Throws AzureEvidenceError EVIDENCE_VERSION_TOO_OLD. */
export function requireVersion(version: AzureEvidenceVersion, minimum: AzureEvidenceVersion): void {
  if (version >= minimum) return;
  throw new AzureEvidenceError(
    'EVIDENCE_VERSION_TOO_OLD',
    `expected evidence of version ${minimum} or later, got ${version}`,
  );
}

/**
 * Evidence of a vTPM shows its age by nothing but the quote: the hardware report is as old as the VM.
 * Throws AzureEvidenceError RUNTIME_DATA_REQUIRED when the caller expects no report data.
 */
export function requireReportData(reportData: Uint8Array | undefined): Uint8Array {
  if (reportData !== undefined) return reportData;
  throw new AzureEvidenceError(
    'RUNTIME_DATA_REQUIRED',
    'expected runtime data with evidence of a vTPM, which shows its age by nothing else, got none',
  );
}

/** The HCL report around a hardware report of one kind. Throws as parseHclReport; AzureEvidenceError HARDWARE_REPORT_MISMATCH. */
export function readHclReport(bytes: Uint8Array, type: HclReportType): HclReport {
  const report = parseHclReport(bytes);
  if (report.type === type) return report;
  throw new AzureEvidenceError(
    'HARDWARE_REPORT_MISMATCH',
    `expected an HCL report with ${type} inside, got ${report.type}`,
  );
}

/**
 * Proves the vTPM of an Azure confidential VM, once its hardware report is proven: the report vouches for the variable
 * data, this for the attestation key, this for the quote, and the quote for PCRs and request. Resolves to the claims that
 * replace those of the hardware: `tpm`, `report_data`, `init_data`.
 * Throws AzureEvidenceError VARIABLE_DATA_MISMATCH, USER_DATA_MISMATCH; TpmError; MalformedError.
 */
export async function proveVtpm(evidence: VtpmEvidence, expected: VtpmBinding): Promise<Claims> {
  const { hclReport, quote, version } = evidence;
  const { reportData, initDataDigest } = expected;
  if (!vouchesFor(evidence.provenReportData, hclReport)) {
    throw new AzureEvidenceError(
      'VARIABLE_DATA_MISMATCH',
      'expected the hardware report to carry the digest of the HCL variable data, got another value',
    );
  }
  const variableData = readHclVariableData(hclReport.variableData);
  const proven = await verifyQuote(quote, variableData.attestationKey);
  requireExtraData(proven, [reportData]);
  if (version === 2) requireUserData(variableData, reportData);
  const pcrs = sha256Pcrs(proven);
  requireInitDataPcr(pcrs, initDataDigest);
  return { tpm: pcrClaims(pcrs), ...bindingClaims(proven, pcrs) };
}

/** All 64 bytes: a prefix would let an empty expectation pass. */
function requireUserData({ userData }: HclVariableData, reportData: Uint8Array): void {
  const wanted = padTo(reportData, userData?.byteLength ?? 0);
  if (userData !== undefined && wanted !== undefined && bytesEqual(wanted, userData)) return;
  throw new AzureEvidenceError(
    'USER_DATA_MISMATCH',
    `expected the user data of the HCL report to be the ${reportData.byteLength} bytes of this request, got others`,
  );
}
