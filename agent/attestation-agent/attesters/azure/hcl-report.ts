import { ByteReader } from '../../../../server/bytes/byte-reader.ts';
import { bytesEqual } from '../../../../server/bytes/byte-strings.ts';
import { fromHex, fromUtf8 } from '../../../../server/bytes/encoding.ts';
import { isCodedError } from '../../../../server/errors/coded-error.ts';
import { parseJson } from '../../../../server/json/strict-json.ts';
import { isJsonObject } from '../../../../server/protocol/json-object.ts';
import { AttesterError } from '../attester-error.ts';

export type HclReportType = 'snp' | 'tdx';

/** What of the paravisor's report its own guest looks at. */
export interface HclReport {
  readonly type: HclReportType;
  /** Of TDX the first 1024 bytes are a TDREPORT. */
  readonly hardwareReport: Uint8Array;
  /** Bytes that the guest chose; `undefined` where the paravisor does not know any. */
  readonly userData: Uint8Array | undefined;
}

/** `HCLA` */
const MAGIC = 0x414c_4348;
const HEADER_BYTES = 0x20;
const HARDWARE_REPORT_BYTES = 0x4a0;
const TYPES: ReadonlyMap<number, HclReportType> = new Map([
  [2, 'snp'],
  [4, 'tdx'],
]);

/** Reads an HCL report (OpenHCL, IGVM_ATTEST) without believing it. Throws AttesterError REPORT_MALFORMED, REPORT_UNSUPPORTED. */
export function readHclReport(bytes: Uint8Array): HclReport {
  try {
    return read(new ByteReader(bytes));
  } catch (cause) {
    if (!isCodedError(cause) || cause instanceof AttesterError) throw cause;
    throw malformed('a whole HCL report', `${bytes.byteLength} bytes that break off`, cause);
  }
}

/** Whether the report was made after these 64 bytes were written. */
export function hasUserData({ userData }: HclReport, expected: Uint8Array): boolean {
  return userData !== undefined && bytesEqual(userData, expected);
}

function read(reader: ByteReader): HclReport {
  const magic = reader.u32le(); // 0x000 Signature
  if (magic !== MAGIC) throw malformed('an HCL report', `a signature of 0x${magic.toString(16)}`);
  reader.bytes(HEADER_BYTES - 4);
  const hardwareReport = reader.bytes(HARDWARE_REPORT_BYTES); // 0x020 HwReport
  reader.bytes(4 + 4); // 0x4c0 DataSize, Version
  const typeNumber = reader.u32le(); // 0x4c8 ReportType
  const type = TYPES.get(typeNumber);
  if (type === undefined) {
    throw new AttesterError(
      'REPORT_UNSUPPORTED',
      `expected an HCL report around SNP (2) or TDX (4), got type ${typeNumber}`,
    );
  }
  reader.bytes(4); // 0x4cc ReportDataHashType
  const variableData = reader.bytes(reader.u32le()); // 0x4d0 VariableDataSize, VariableData
  return { type, hardwareReport, userData: readUserData(variableData) };
}

function readUserData(variableData: Uint8Array): Uint8Array | undefined {
  const document = parseJson(fromUtf8(variableData));
  const hex = isJsonObject(document) ? document['user-data'] : undefined;
  return typeof hex === 'string' ? fromHex(hex) : undefined;
}

function malformed(expected: string, came: string, cause?: unknown): AttesterError {
  return new AttesterError('REPORT_MALFORMED', `expected ${expected} in the vTPM, got ${came}`, { cause });
}
