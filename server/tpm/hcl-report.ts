import { ByteReader } from '../bytes/byte-reader.ts';
import { bytesEqual, padTo, sha256 } from '../bytes/byte-strings.ts';
import { TpmError } from './tpm-error.ts';

/** `HCLA` */
const MAGIC = 0x414c_4348;
const HEADER_BYTES = 0x20;
/** Room for an SNP report, or for a TD report and zeros. */
const HARDWARE_REPORT_BYTES = 0x4a0;
/** DataSize, Version, ReportType, ReportDataHashType, VariableDataSize. */
const RUNTIME_DATA_HEADER_BYTES = 20;
const RUNTIME_DATA_VERSION = 1;
const SHA256 = 1;
/** The NV index holds 2600. */
const MAX_BYTES = 8192;

/** ReportType: which hardware report lies inside. */
const TYPES: ReadonlyMap<number, HclReportType> = new Map([
  [2, 'snp'],
  [4, 'tdx'],
]);
export type HclReportType = 'snp' | 'tdx';

/**
 * What the paravisor of an Azure VM keeps in its vTPM. Nothing of it is signed but the hardware report, whose report data
 * is the digest of the variable data.
 */
export interface HclReport {
  readonly type: HclReportType;
  /** SNP: the 1184 bytes of the ATTESTATION_REPORT. TDX: a TD report, which proves nothing outside of its machine. */
  readonly hardwareReport: Uint8Array;
  /** JSON text, exactly as it was hashed. */
  readonly variableData: Uint8Array;
}

/**
 * Reads the HCL report of an Azure confidential VM (Microsoft, "Guest attestation for confidential VMs"; OpenHCL, IGVM_ATTEST:
 * attestation report header, hardware report, runtime data). The sizes have to agree, and what follows has to be zero.
 * Throws TpmError HCL_REPORT_MALFORMED; MalformedError TRUNCATED, RESERVED_NOT_ZERO.
 */
export function parseHclReport(bytes: Uint8Array): HclReport {
  requireField('a report of at most', MAX_BYTES, bytes.byteLength, bytes.byteLength <= MAX_BYTES);
  const reader = new ByteReader(bytes);
  const magic = reader.u32le(); // 0x000 Signature
  requireField('the signature', MAGIC, magic);
  reader.bytes(4); // 0x004 Version: of the header, and the same layout so far
  const reportSize = reader.u32le(); // 0x008 ReportSize
  reader.bytes(20); // 0x00c RequestType, Status, Reserved
  const hardwareReport = reader.bytes(HARDWARE_REPORT_BYTES); // 0x020 HwReport
  const dataSize = reader.u32le(); // 0x4c0 DataSize
  requireField('the runtime data version', RUNTIME_DATA_VERSION, reader.u32le()); // 0x4c4 Version
  const type = readType(reader.u32le()); // 0x4c8 ReportType
  requireField('SHA-256 as the hash type', SHA256, reader.u32le()); // 0x4cc ReportDataHashType
  const variableSize = reader.u32le(); // 0x4d0 VariableDataSize
  requireField('the data size', RUNTIME_DATA_HEADER_BYTES + variableSize, dataSize);
  requireField('the report size', HEADER_BYTES + HARDWARE_REPORT_BYTES + dataSize, reportSize);
  const variableData = reader.bytes(variableSize); // 0x4d4 VariableData
  reader.reserved(reader.remaining);
  return { type, hardwareReport, variableData };
}

/** Whether a hardware report with these 64 bytes of report data vouches for the variable data. */
export function vouchesFor(reportData: Uint8Array, { variableData }: HclReport): boolean {
  const expected = padTo(sha256(variableData), reportData.byteLength);
  return expected !== undefined && bytesEqual(expected, reportData);
}

function readType(value: number): HclReportType {
  const type = TYPES.get(value);
  if (type === undefined) throw malformed('report type 2 (SNP) or 4 (TDX)', `${value}`);
  return type;
}

function requireField(name: string, expected: number, actual: number, isGood = expected === actual): void {
  if (!isGood) throw malformed(`${name} ${expected}`, `${actual}`);
}

function malformed(expected: string, came: string): TpmError {
  return new TpmError('HCL_REPORT_MALFORMED', `expected an HCL report with ${expected}, got ${came}`);
}
