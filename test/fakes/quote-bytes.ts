import { createHash, type KeyObject, sign } from 'node:crypto';

/** What an enclave's report says, as numbers and bytes. Byte strings that are shorter than their field end in zeros. */
export interface FakeEnclaveReport {
  readonly cpuSvn: Uint8Array;
  readonly miscSelect: number;
  readonly cetAttributes: number;
  readonly isvExtProdId: Uint8Array;
  readonly flags: bigint;
  readonly xfrm: bigint;
  readonly mrEnclave: Uint8Array;
  readonly mrSigner: Uint8Array;
  readonly configId: Uint8Array;
  readonly isvProdId: number;
  readonly isvSvn: number;
  readonly configSvn: number;
  readonly isvFamilyId: Uint8Array;
  readonly reportData: Uint8Array;
}

export interface FakeTdReport {
  readonly teeTcbSvn: Uint8Array;
  readonly mrSeam: Uint8Array;
  readonly mrSignerSeam: Uint8Array;
  readonly seamAttributes: bigint;
  readonly tdAttributes: bigint;
  readonly xfam: bigint;
  readonly mrTd: Uint8Array;
  readonly mrConfigId: Uint8Array;
  readonly mrOwner: Uint8Array;
  readonly mrOwnerConfig: Uint8Array;
  readonly rtmrs: readonly Uint8Array[];
  readonly reportData: Uint8Array;
  readonly teeTcbSvn2: Uint8Array;
  readonly mrServiceTd: Uint8Array;
}

export interface FakeQuoteHeader {
  readonly version: number;
  readonly attestationKeyType: number;
  readonly teeType: number;
  readonly qeSvn: number;
  readonly pceSvn: number;
  readonly qeVendorId: Uint8Array;
  readonly userData: Uint8Array;
}

/** Everything that follows the signed part of a quote. */
export interface FakeSignatureData {
  readonly signature: Uint8Array;
  readonly attestationKey: Uint8Array;
  readonly qeReport: Uint8Array;
  readonly qeReportSignature: Uint8Array;
  readonly authenticationData: Uint8Array;
  /** 6: from version 4 on, what certifies the attestation key. */
  readonly outerType: number;
  /** 5: what certifies the QE report. */
  readonly innerType: number;
  readonly certificationData: Uint8Array;
}

export const INTEL_QE_VENDOR = Buffer.from('939a7233f79c4ca9940a0db3957f0607', 'hex');
/** INITTED, MODE64BIT and PROVISIONKEY: what a quoting enclave has. */
const QE_FLAGS = 0x15n;
const SEPT_VE_DISABLE = 1n << 28n;

/** An enclave as an honest platform reports it. */
export function fakeEnclaveReport(overrides: Partial<FakeEnclaveReport> = {}): FakeEnclaveReport {
  return {
    cpuSvn: filled(16, 0x0c),
    miscSelect: 0,
    cetAttributes: 0,
    isvExtProdId: filled(16, 0x0e),
    flags: 0x5n,
    xfrm: 0xe7n,
    mrEnclave: filled(32, 0xae),
    mrSigner: filled(32, 0xa5),
    configId: new Uint8Array(),
    isvProdId: 1,
    isvSvn: 2,
    configSvn: 3,
    isvFamilyId: filled(16, 0xfa),
    reportData: new Uint8Array(),
    ...overrides,
  };
}

/** The report of a quoting enclave. */
export function fakeQeReport(overrides: Partial<FakeEnclaveReport> = {}): FakeEnclaveReport {
  return fakeEnclaveReport({
    flags: QE_FLAGS,
    isvExtProdId: new Uint8Array(),
    isvFamilyId: new Uint8Array(),
    mrEnclave: filled(32, 0xe1),
    mrSigner: filled(32, 0xe2),
    isvProdId: 2,
    isvSvn: 8,
    configSvn: 0,
    ...overrides,
  });
}

/** A trust domain as an honest platform reports it. */
export function fakeTdReport(overrides: Partial<FakeTdReport> = {}): FakeTdReport {
  return {
    teeTcbSvn: Uint8Array.of(5, 1, 2),
    mrSeam: filled(48, 0x5e),
    mrSignerSeam: new Uint8Array(),
    seamAttributes: 0n,
    tdAttributes: SEPT_VE_DISABLE,
    xfam: 0xe7n,
    mrTd: filled(48, 0x7d),
    mrConfigId: new Uint8Array(),
    mrOwner: new Uint8Array(),
    mrOwnerConfig: new Uint8Array(),
    rtmrs: [filled(48, 0xb0), filled(48, 0xb1), filled(48, 0xb2), filled(48, 0xb3)],
    reportData: new Uint8Array(),
    teeTcbSvn2: Uint8Array.of(5, 1, 2),
    mrServiceTd: new Uint8Array(),
    ...overrides,
  };
}

/** Written apart from the server's own reader, so that one checks the other. */
export function encodeEnclaveReport(report: FakeEnclaveReport): Uint8Array {
  const bytes = new Uint8Array(384);
  const view = new DataView(bytes.buffer);
  bytes.set(report.cpuSvn, 0);
  view.setUint32(16, report.miscSelect, true);
  view.setUint8(20, report.cetAttributes);
  bytes.set(report.isvExtProdId, 32);
  view.setBigUint64(48, report.flags, true);
  view.setBigUint64(56, report.xfrm, true);
  bytes.set(report.mrEnclave, 64);
  bytes.set(report.mrSigner, 128);
  bytes.set(report.configId, 192);
  view.setUint16(256, report.isvProdId, true);
  view.setUint16(258, report.isvSvn, true);
  view.setUint16(260, report.configSvn, true);
  bytes.set(report.isvFamilyId, 304);
  bytes.set(report.reportData, 320);
  return bytes;
}

export function encodeTdReport(report: FakeTdReport, kind: 'td-1.0' | 'td-1.5'): Uint8Array {
  const bytes = new Uint8Array(kind === 'td-1.0' ? 584 : 648);
  const view = new DataView(bytes.buffer);
  bytes.set(report.teeTcbSvn, 0);
  bytes.set(report.mrSeam, 16);
  bytes.set(report.mrSignerSeam, 64);
  view.setBigUint64(112, report.seamAttributes, true);
  view.setBigUint64(120, report.tdAttributes, true);
  view.setBigUint64(128, report.xfam, true);
  bytes.set(report.mrTd, 136);
  bytes.set(report.mrConfigId, 184);
  bytes.set(report.mrOwner, 232);
  bytes.set(report.mrOwnerConfig, 280);
  report.rtmrs.forEach((rtmr, index) => {
    bytes.set(rtmr, 328 + 48 * index);
  });
  bytes.set(report.reportData, 520);
  if (kind === 'td-1.5') {
    bytes.set(report.teeTcbSvn2, 584);
    bytes.set(report.mrServiceTd, 600);
  }
  return bytes;
}

export function encodeQuoteHeader(header: FakeQuoteHeader): Uint8Array {
  const bytes = new Uint8Array(48);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, header.version, true);
  view.setUint16(2, header.attestationKeyType, true);
  view.setUint32(4, header.teeType, true);
  view.setUint16(8, header.qeSvn, true);
  view.setUint16(10, header.pceSvn, true);
  bytes.set(header.qeVendorId, 12);
  bytes.set(header.userData, 28);
  return bytes;
}

export function encodeSignatureData(data: FakeSignatureData, version: number): Uint8Array {
  const inner = Buffer.concat([
    data.qeReport,
    data.qeReportSignature,
    u16(data.authenticationData.byteLength),
    data.authenticationData,
    certification(data.innerType, data.certificationData),
  ]);
  const certified = version === 3 ? inner : certification(data.outerType, inner);
  return Buffer.concat([data.signature, data.attestationKey, certified]);
}

function certification(type: number, data: Uint8Array): Uint8Array {
  return Buffer.concat([u16(type), u32(data.byteLength), data]);
}

/** r ‖ s over SHA-256, as Intel writes them. */
export function signP256(bytes: Uint8Array, key: KeyObject): Uint8Array {
  return sign('sha256', bytes, { key, dsaEncoding: 'ieee-p1363' });
}

/** x ‖ y of a P-256 key. */
export function coordinatesOf(publicKey: KeyObject): Uint8Array {
  const { x = '', y = '' } = publicKey.export({ format: 'jwk' });
  return Buffer.concat([Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')]);
}

/** What a quoting enclave puts into its report about its attestation key. */
export function qeReportDataOf(attestationKey: Uint8Array, authenticationData: Uint8Array): Uint8Array {
  return createHash('sha256').update(attestationKey).update(authenticationData).digest();
}

export function filled(length: number, value: number): Uint8Array {
  return new Uint8Array(length).fill(value);
}

export function u16(value: number): Uint8Array {
  return Uint8Array.of(value & 0xff, value >> 8);
}

export function u32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}
