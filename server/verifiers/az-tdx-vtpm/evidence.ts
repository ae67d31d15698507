import {
  type AzureEvidenceVersion,
  readAzureEvidence,
  readBytes,
  readVtpmQuote,
} from '../../tpm/azure-evidence.ts';
import type { TpmQuote } from '../../tpm/quote-verification.ts';

const MAX_HCL_REPORT_BYTES = 8192;
/** Real TD quotes are around 5,000 bytes. */
const MAX_TD_QUOTE_BYTES = 32_768;

/** Evidence of an Azure TDX VM in our own form. Unproven. */
interface AzTdxEvidence {
  readonly version: AzureEvidenceVersion;
  readonly quote: TpmQuote;
  readonly hclReport: Uint8Array;
  readonly tdQuote: Uint8Array;
}

/**
 * Reads the evidence JSON of the Confidential Containers guest on Azure: `{version?, tpm_quote, hcl_report, td_quote}`.
 * Unknown members are ignored. Throws AzureEvidenceError EVIDENCE_MALFORMED, EVIDENCE_VERSION_UNSUPPORTED.
 */
export function readAzTdxEvidence(evidence: unknown): AzTdxEvidence {
  const { document, version } = readAzureEvidence(evidence);
  return {
    version,
    quote: readVtpmQuote(document['tpm_quote'], 'tpm_quote', version),
    hclReport: readBytes(document['hcl_report'], 'hcl_report', version, MAX_HCL_REPORT_BYTES),
    tdQuote: readBytes(document['td_quote'], 'td_quote', version, MAX_TD_QUOTE_BYTES),
  };
}
