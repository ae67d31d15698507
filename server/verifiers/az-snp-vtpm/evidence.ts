import { toUtf8 } from '../../bytes/encoding.ts';
import {
  type AzureEvidenceVersion,
  malformed,
  readAzureEvidence,
  readBytes,
  readVtpmQuote,
} from '../../tpm/azure-evidence.ts';
import type { TpmQuote } from '../../tpm/quote-verification.ts';
import { derOf } from '../../x509/pem.ts';

const MAX_HCL_REPORT_BYTES = 8192;
const MAX_CERTIFICATE_BYTES = 8192;

/** Evidence of an Azure SNP VM in our own form. Unproven. */
interface AzSnpEvidence {
  readonly version: AzureEvidenceVersion;
  readonly quote: TpmQuote;
  readonly hclReport: Uint8Array;
  /** DER of a VCEK; `undefined` when none came along. */
  readonly endorsementKey: Uint8Array | undefined;
}

/**
 * Reads the evidence JSON of the Confidential Containers guest on Azure: `{version, tpm_quote, hcl_report, vcek}` of
 * version 1 and 2, `{quote, report, vcek}` of version 0, whose VCEK is PEM. Unknown members are ignored.
 * Throws AzureEvidenceError EVIDENCE_MALFORMED, EVIDENCE_VERSION_UNSUPPORTED; X509Error CERTIFICATE_MALFORMED.
 */
export function readAzSnpEvidence(evidence: unknown): AzSnpEvidence {
  const { document, version } = readAzureEvidence(evidence);
  const [quote, report] =
    version === 0 ? (['quote', 'report'] as const) : (['tpm_quote', 'hcl_report'] as const);
  return {
    version,
    quote: readVtpmQuote(document[quote], quote, version),
    hclReport: readBytes(document[report], report, version, MAX_HCL_REPORT_BYTES),
    endorsementKey: readVcek(document['vcek'] ?? '', version),
  };
}

function readVcek(vcek: unknown, version: AzureEvidenceVersion): Uint8Array | undefined {
  if (vcek === '') return undefined;
  if (version !== 0) return readBytes(vcek, 'vcek', version, MAX_CERTIFICATE_BYTES);
  if (typeof vcek !== 'string' || vcek.length > MAX_CERTIFICATE_BYTES) {
    throw malformed(`'vcek' as PEM of at most ${MAX_CERTIFICATE_BYTES} characters`);
  }
  return derOf(toUtf8(vcek));
}
