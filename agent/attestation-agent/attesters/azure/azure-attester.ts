import { X509Certificate } from 'node:crypto';
import { padTo } from '../../../../server/bytes/byte-strings.ts';
import { toBase64Url, toHex } from '../../../../server/bytes/encoding.ts';
import { type EvidenceDocument, EvidenceError } from '../../evidence-provider.ts';
import type { Attester } from '../attester.ts';
import { AttesterError } from '../attester-error.ts';
import { bindByPcr } from '../tpm/init-data-pcr.ts';
import { quotePcrs } from '../tpm/tpm-quote.ts';
import type { TpmTools } from '../tpm/tpm-tools.ts';
import type { HclReportType } from './hcl-report.ts';
import { reportWithUserData, type StoredHclReport } from './hcl-report-index.ts';
import type { MetadataService } from './metadata-service.ts';

export interface AzureAttesterOptions {
  readonly tools: TpmTools;
  readonly metadata: MetadataService;
}

/** What stands beside quote and HCL report. */
type ReadEndorsement = (report: StoredHclReport, metadata: MetadataService) => Promise<EvidenceDocument>;

const EVIDENCE_VERSION = 2;
/** The attestation key of Azure's vTPM. */
const KEY_HANDLE = '0x81000003';
const KEY_SCHEME = { scheme: 'rsassa', hash: 'sha256' } as const;
const USER_DATA_BYTES = 64;
const TD_REPORT_BYTES = 1024;

/** An Azure confidential VM on SEV-SNP. Evidence of version 2: `{version, tpm_quote, hcl_report, vcek}`. */
export function createAzSnpVtpmAttester(options: AzureAttesterOptions): Attester {
  return createAzureAttester('az-snp-vtpm', 'snp', options, async (_report, metadata) => ({
    vcek: paddedBase64Url(derOf(await metadata.vcek())),
  }));
}

/** An Azure confidential VM on TDX. Evidence of version 2: `{version, tpm_quote, hcl_report, td_quote}`. */
export function createAzTdxVtpmAttester(options: AzureAttesterOptions): Attester {
  return createAzureAttester('az-tdx-vtpm', 'tdx', options, async (report, metadata) => ({
    td_quote: paddedBase64Url(await metadata.tdQuote(report.hardwareReport.subarray(0, TD_REPORT_BYTES))),
  }));
}

function createAzureAttester(
  tee: string,
  type: HclReportType,
  { tools, metadata }: AzureAttesterOptions,
  readEndorsement: ReadEndorsement,
): Attester {
  return {
    tee,
    // Quoted as it is; version 2 has it in the hardware report besides, padded to 64 bytes.
    reportDataBytes: 'exact',
    async evidence(reportData) {
      const report = await reportWithUserData(tools, userDataOf(tee, reportData));
      if (report.type !== type) {
        throw new AttesterError(
          'REPORT_UNSUPPORTED',
          `expected an HCL report around ${type}, got ${report.type}`,
        );
      }
      const quote = await quotePcrs(tools, {
        keyHandle: KEY_HANDLE,
        scheme: KEY_SCHEME,
        extraData: reportData,
        signatureForm: 'plain',
      });
      const { message, signature, pcrs } = quote;
      return {
        version: EVIDENCE_VERSION,
        tpm_quote: { signature: toHex(signature), message: toHex(message), pcrs: pcrs.map(toHex) },
        hcl_report: paddedBase64Url(report.bytes),
        ...(await readEndorsement(report, metadata)),
      };
    },
    bindInitData: async (digest) => await bindByPcr(tools, digest),
  };
}

function userDataOf(tee: string, reportData: Uint8Array): Uint8Array {
  const userData = padTo(reportData, USER_DATA_BYTES);
  if (userData !== undefined) return userData;
  throw new EvidenceError(
    'REPORT_DATA_TOO_LONG',
    `expected at most ${USER_DATA_BYTES} bytes of report data for ${tee}, got ${reportData.byteLength}`,
  );
}

function derOf(pem: string): Uint8Array {
  try {
    return new X509Certificate(pem).raw;
  } catch (cause) {
    throw new AttesterError(
      'METADATA_REPLY_MALFORMED',
      "expected a certificate in PEM from Azure's metadata service, got something else",
      { cause },
    );
  }
}

/** URL alphabet with padding, as guests on Azure write it. */
function paddedBase64Url(bytes: Uint8Array): string {
  const text = toBase64Url(bytes);
  return text.padEnd(Math.ceil(text.length / 4) * 4, '=');
}
