import { ByteReader } from '../bytes/byte-reader.ts';

export const TD_10_REPORT_BYTES = 584;
export const TD_15_REPORT_BYTES = 648;

/** What a quote says about a trust domain, read but not believed. The byte strings are views of the input. */
export interface TdReport {
  /** One security version a component, in the order of the TCB info. */
  readonly teeTcbSvn: Uint8Array;
  readonly mrSeam: Uint8Array;
  readonly mrSignerSeam: Uint8Array;
  readonly seamAttributes: Uint8Array;
  /** 8 bytes, little-endian. */
  readonly tdAttributes: Uint8Array;
  readonly xfam: Uint8Array;
  readonly mrTd: Uint8Array;
  readonly mrConfigId: Uint8Array;
  readonly mrOwner: Uint8Array;
  readonly mrOwnerConfig: Uint8Array;
  readonly rtmrs: readonly [Uint8Array, Uint8Array, Uint8Array, Uint8Array];
  readonly reportData: Uint8Array;
  /** TD 1.5: the security versions now, where those above are of the TD's launch. */
  readonly teeTcbSvn2: Uint8Array | undefined;
  /** TD 1.5: the service TD bound to this one, zero where there is none. */
  readonly mrServiceTd: Uint8Array | undefined;
}

/**
 * Reads a TD Quote Body of TDX 1.0 (584 bytes) or 1.5 (648), told apart by their length (Intel, TDX DCAP Quoting Library
 * API, TD Quote Body). Throws MalformedError TRUNCATED, TRAILING_BYTES.
 */
export function readTdReport(bytes: Uint8Array): TdReport {
  const reader = new ByteReader(bytes);
  const isTd15 = bytes.byteLength > TD_10_REPORT_BYTES;
  // An object literal is evaluated in the order in which it is written, which is the order of the fields.
  const report: TdReport = {
    teeTcbSvn: reader.bytes(16), // 0 TEE_TCB_SVN
    mrSeam: reader.bytes(48), // 16 MRSEAM
    mrSignerSeam: reader.bytes(48), // 64 MRSIGNERSEAM
    seamAttributes: reader.bytes(8), // 112 SEAMATTRIBUTES
    tdAttributes: reader.bytes(8), // 120 TDATTRIBUTES
    xfam: reader.bytes(8), // 128 XFAM
    mrTd: reader.bytes(48), // 136 MRTD
    mrConfigId: reader.bytes(48), // 184 MRCONFIGID
    mrOwner: reader.bytes(48), // 232 MROWNER
    mrOwnerConfig: reader.bytes(48), // 280 MROWNERCONFIG
    rtmrs: [reader.bytes(48), reader.bytes(48), reader.bytes(48), reader.bytes(48)], // 328 RTMR0 to RTMR3
    reportData: reader.bytes(64), // 520 REPORTDATA
    teeTcbSvn2: isTd15 ? reader.bytes(16) : undefined, // 584 TEE_TCB_SVN_2
    mrServiceTd: isTd15 ? reader.bytes(48) : undefined, // 600 MRSERVICETD
  };
  reader.end();
  return report;
}
