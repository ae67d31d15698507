import { fromUtf8 } from '../bytes/encoding.ts';
import type { Claims, Json, JsonObject } from '../claims/claims.ts';
import { parseJson } from '../json/strict-json.ts';
import type { AzureEvidenceVersion } from '../tpm/azure-evidence.ts';
import { readHclReport } from '../tpm/azure-vtpm.ts';
import type { HclReport } from '../tpm/hcl-report.ts';
import type { TpmQuote } from '../tpm/quote-verification.ts';
import { azSnpClaims } from '../verifiers/az-snp-vtpm/claims.ts';
import { readAzSnpEvidence } from '../verifiers/az-snp-vtpm/evidence.ts';
import { azTdxClaims } from '../verifiers/az-tdx-vtpm/claims.ts';
import { readAzTdxEvidence } from '../verifiers/az-tdx-vtpm/evidence.ts';
import type { EvidenceFile } from './command-io.ts';
import { inspectSnpEvidence } from './snp-evidence.ts';
import { inspectTdxEvidence } from './tdx-evidence.ts';
import { quoteFacts } from './tpm-quote.ts';

/**
 * Reads the evidence of an Azure SEV-SNP machine without judging it: the JSON of its guest, or the bytes of an HCL report.
 * Throws AzureEvidenceError, TpmError, SnpEvidenceError, X509Error, MalformedError.
 */
export function inspectAzSnpEvidence(evidence: EvidenceFile): JsonObject {
  const snpClaims = ({ hardwareReport }: HclReport): Claims =>
    inspectSnpEvidence({ form: 'bytes', bytes: hardwareReport });
  if (evidence.form === 'bytes') {
    const report = readHclReport(evidence.bytes, 'snp');
    return { ...azSnpClaims(snpClaims(report), {}), ...hclFacts(report) };
  }
  const { version, quote, hclReport, endorsementKey } = readAzSnpEvidence(evidence.document);
  const report = readHclReport(hclReport, 'snp');
  return {
    ...vtpmFacts(version, quote, (vtpm) => azSnpClaims(snpClaims(report), vtpm)),
    endorsement_key: endorsementKey === undefined ? 'none' : 'came along',
    ...hclFacts(report),
  };
}

/**
 * Reads the evidence of an Azure TDX machine without judging it: the JSON of its guest, or the bytes of an HCL report, of
 * which the TD report is left out: it says nothing that the quote would not. Throws as inspectAzSnpEvidence;
 * TdxEvidenceError, QuoteError.
 */
export function inspectAzTdxEvidence(evidence: EvidenceFile): JsonObject {
  if (evidence.form === 'bytes') return hclFacts(readHclReport(evidence.bytes, 'tdx'));
  const { version, quote, hclReport, tdQuote } = readAzTdxEvidence(evidence.document);
  const report = readHclReport(hclReport, 'tdx');
  const tdx = inspectTdxEvidence({ form: 'bytes', bytes: tdQuote });
  return { ...vtpmFacts(version, quote, (vtpm) => azTdxClaims(tdx, vtpm)), ...hclFacts(report) };
}

/** Under the names that policies know, with what the vTPM says in its place. */
function vtpmFacts(
  version: AzureEvidenceVersion,
  tpmQuote: TpmQuote,
  withVtpm: (vtpm: Claims) => Claims,
): JsonObject {
  const { pcrs, binding, quote } = quoteFacts(tpmQuote);
  return {
    evidence_version: version,
    ...withVtpm({ ...binding, tpm: pcrs }),
    tpm_quote: quote,
  };
}

/** The keys of the vTPM, the machine's configuration and the user data, as the paravisor wrote them. */
function hclFacts({ variableData }: HclReport): JsonObject {
  return { hcl_variable_data: parseJson(fromUtf8(variableData)) as Json };
}
