import { bytesEqual } from '../../../../server/bytes/byte-strings.ts';
import { isCodedError } from '../../../../server/errors/coded-error.ts';
import type { EvidenceDocument } from '../../evidence-provider.ts';
import { compareWithField } from '../../init-data-binding.ts';
import type { Attester } from '../attester.ts';
import { AttesterError } from '../attester-error.ts';
import { readCertificateTable } from './certificate-table.ts';
import { hostDataOf, REPORT_BYTES, reportDataOf, snpReportDocument } from './report-document.ts';

/** What the firmware and the host answered. */
export interface SnpFirmwareReport {
  /** The 1184 bytes of an ATTESTATION_REPORT. */
  readonly report: Uint8Array;
  /** The host's certificates; `undefined` or empty where it has none. */
  readonly certificateTable: Uint8Array | undefined;
}

/** Asks the firmware for a report with these 64 bytes of report data: through configfs-tsm, or the device of older kernels. */
export type RequestSnpReport = (reportData: Uint8Array) => Promise<SnpFirmwareReport>;

const REPORT_DATA_BYTES = 64;

/** AMD SEV-SNP. Evidence: `{attestation_report, cert_chain}`. */
export function createSnpAttester(requestReport: RequestSnpReport): Attester {
  const request = async (reportData: Uint8Array): Promise<SnpFirmwareReport> => {
    const answer = await requestReport(reportData);
    requireReportOf(answer.report, reportData);
    return answer;
  };
  return {
    tee: 'snp',
    reportDataBytes: REPORT_DATA_BYTES,
    async evidence(reportData) {
      const { report, certificateTable } = await request(reportData);
      return { attestation_report: readDocument(report), cert_chain: readChain(certificateTable) };
    },
    async bindInitData(digest) {
      const { report } = await request(new Uint8Array(REPORT_DATA_BYTES));
      return compareWithField(digest, hostDataOf(report), 'HOST_DATA');
    },
  };
}

function requireReportOf(report: Uint8Array, reportData: Uint8Array): void {
  if (report.byteLength !== REPORT_BYTES) {
    throw malformed(`a report of ${REPORT_BYTES} bytes`, `${report.byteLength}`);
  }
  if (bytesEqual(reportDataOf(report), reportData)) return;
  throw new AttesterError(
    'REPORT_OF_ANOTHER_REQUEST',
    'expected the firmware to report the data of this request, got other data',
  );
}

function readDocument(report: Uint8Array): EvidenceDocument {
  try {
    return snpReportDocument(report);
  } catch (cause) {
    if (!isCodedError(cause) || cause instanceof AttesterError) throw cause;
    throw malformed('a report in one of its known forms', 'another', cause);
  }
}

/** Null, not empty, where the host has no certificates: servers then look for the chip's themselves. */
function readChain(table: Uint8Array | undefined): readonly EvidenceDocument[] | null {
  const certificates = readCertificateTable(table ?? new Uint8Array());
  if (certificates.length === 0) return null;
  return certificates.map(({ type, bytes }) => ({ cert_type: type, data: [...bytes] }));
}

function malformed(expected: string, came: string, cause?: unknown): AttesterError {
  return new AttesterError('REPORT_MALFORMED', `expected ${expected} from the firmware, got ${came}`, {
    cause,
  });
}
