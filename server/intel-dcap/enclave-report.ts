import { ByteReader } from '../bytes/byte-reader.ts';

export const ENCLAVE_REPORT_BYTES = 384;

/** What an enclave's REPORT says about it, read but not believed. The byte strings are views of the input. */
export interface EnclaveReport {
  /** The 384 bytes as they came. */
  readonly bytes: Uint8Array;
  readonly cpuSvn: Uint8Array;
  /** 4 bytes, little-endian. */
  readonly miscSelect: Uint8Array;
  /** 12 bytes: the first holds the attributes of control flow enforcement, the others are zero. */
  readonly reserved1: Uint8Array;
  readonly isvExtProdId: Uint8Array;
  /** 16 bytes: flags and XFRM, 8 each, little-endian. */
  readonly attributes: Uint8Array;
  readonly mrEnclave: Uint8Array;
  readonly reserved2: Uint8Array;
  readonly mrSigner: Uint8Array;
  readonly reserved3: Uint8Array;
  readonly configId: Uint8Array;
  readonly isvProdId: number;
  readonly isvSvn: number;
  readonly configSvn: number;
  readonly reserved4: Uint8Array;
  readonly isvFamilyId: Uint8Array;
  readonly reportData: Uint8Array;
}

/**
 * Reads the 384 bytes of a REPORT that a quote carries, for an enclave or for the quoting enclave itself (Intel SDM volume
 * 3D, REPORT; Intel, Quote Format, Enclave Report Body).
 * Throws MalformedError TRUNCATED, TRAILING_BYTES, RESERVED_NOT_ZERO.
 */
export function readEnclaveReport(bytes: Uint8Array): EnclaveReport {
  const reader = new ByteReader(bytes);
  // An object literal is evaluated in the order in which it is written, which is the order of the fields.
  const report: EnclaveReport = {
    bytes,
    cpuSvn: reader.bytes(16), // 0 CPUSVN
    miscSelect: reader.bytes(4), // 16 MISCSELECT
    reserved1: readCetAttributes(reader), // 20 CET_ATTRIBUTES, 21 reserved
    isvExtProdId: reader.bytes(16), // 32 ISVEXTPRODID
    attributes: reader.bytes(16), // 48 ATTRIBUTES
    mrEnclave: reader.bytes(32), // 64 MRENCLAVE
    reserved2: readReserved(reader, 32), // 96
    mrSigner: reader.bytes(32), // 128 MRSIGNER
    reserved3: readReserved(reader, 32), // 160
    configId: reader.bytes(64), // 192 CONFIGID
    isvProdId: reader.u16le(), // 256 ISVPRODID
    isvSvn: reader.u16le(), // 258 ISVSVN
    configSvn: reader.u16le(), // 260 CONFIGSVN
    reserved4: readReserved(reader, 42), // 262
    isvFamilyId: reader.bytes(16), // 304 ISVFAMILYID
    reportData: reader.bytes(64), // 320 REPORTDATA
  };
  reader.end();
  return report;
}

/** Claims show reserved bytes, so they are kept although they must be zero. */
function readReserved(reader: ByteReader, length: number): Uint8Array {
  const bytes = reader.bytes(length);
  new ByteReader(bytes).reserved(length);
  return bytes;
}

function readCetAttributes(reader: ByteReader): Uint8Array {
  const bytes = reader.bytes(12);
  new ByteReader(bytes.subarray(1)).reserved(11);
  return bytes;
}
