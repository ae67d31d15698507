import { ByteReader } from '../../bytes/byte-reader.ts';
import { type GuestPolicy, readGuestPolicy } from './guest-policy.ts';
import { type PlatformInfo, readPlatformInfo } from './platform-info.ts';
import type { Cpuid } from './product.ts';
import { SnpEvidenceError } from './snp-evidence-error.ts';

export const REPORT_BYTES = 0x4a0;
/** The signature covers everything before itself. */
const SIGNED_BYTES = 0x2a0;
const MIN_VERSION = 2;
const MAX_VERSION = 5;

/** KEY_INFO.SIGNING_KEY. Values 2 to 6 are reserved. */
const SIGNING_KEYS: ReadonlyMap<number, SigningKey> = new Map([
  [0, 'vcek'],
  [1, 'vlek'],
  [7, 'none'],
]);
type SigningKey = 'vcek' | 'vlek' | 'none';

export interface FirmwareVersion {
  readonly build: number;
  readonly minor: number;
  readonly major: number;
}

/**
 * ATTESTATION_REPORT as it stands, read but not believed. TCB fields are raw, since their layout depends on the product,
 * which a report of version 2 does not name.
 */
export interface SnpReport {
  readonly version: number;
  readonly guestSvn: number;
  readonly policy: GuestPolicy;
  readonly familyId: Uint8Array;
  readonly imageId: Uint8Array;
  readonly vmpl: number;
  readonly signatureAlgorithm: number;
  readonly currentTcb: Uint8Array;
  readonly platformInfo: PlatformInfo;
  readonly isAuthorKeyEnabled: boolean;
  readonly signingKey: SigningKey;
  readonly reportData: Uint8Array;
  readonly measurement: Uint8Array;
  readonly hostData: Uint8Array;
  readonly idKeyDigest: Uint8Array;
  readonly authorKeyDigest: Uint8Array;
  readonly reportId: Uint8Array;
  readonly migrationAgentReportId: Uint8Array;
  readonly reportedTcb: Uint8Array;
  /** From version 3 on. */
  readonly cpuid: Cpuid | undefined;
  readonly chipId: Uint8Array;
  readonly committedTcb: Uint8Array;
  readonly currentVersion: FirmwareVersion;
  readonly committedVersion: FirmwareVersion;
  readonly launchTcb: Uint8Array;
  /** From version 5 on. */
  readonly mitigations: { readonly launch: bigint; readonly current: bigint } | undefined;
  /** Little-endian. */
  readonly signature: { readonly r: Uint8Array; readonly s: Uint8Array };
  /** The bytes that the signature covers. */
  readonly signedBytes: Uint8Array;
}

/**
 * Reads the 1184 bytes of an ATTESTATION_REPORT, versions 2 to 5 (AMD 56860 rev. 1.58, Attestation Report). Views share
 * memory with the input. Throws SnpEvidenceError REPORT_VERSION_UNSUPPORTED, GUEST_POLICY_MALFORMED,
 * KEY_INFO_MALFORMED; MalformedError TRUNCATED, TRAILING_BYTES, RESERVED_NOT_ZERO.
 */
export function parseSnpReport(bytes: Uint8Array): SnpReport {
  const reader = new ByteReader(bytes);
  const version = readVersion(reader); // 0x000 VERSION
  // An object literal is evaluated in the order in which it is written, which is the order of the fields.
  const report: SnpReport = {
    version,
    guestSvn: reader.u32le(), // 0x004 GUEST_SVN
    policy: readGuestPolicy(reader.u64le()), // 0x008 POLICY
    familyId: reader.bytes(16), // 0x010 FAMILY_ID
    imageId: reader.bytes(16), // 0x020 IMAGE_ID
    vmpl: reader.u32le(), // 0x030 VMPL
    signatureAlgorithm: reader.u32le(), // 0x034 SIGNATURE_ALGO
    currentTcb: reader.bytes(8), // 0x038 CURRENT_TCB
    platformInfo: readPlatformInfo(reader.u64le()), // 0x040 PLATFORM_INFO
    ...readKeyInfo(reader), // 0x048 SIGNING_KEY, MASK_CHIP_KEY, AUTHOR_KEY_EN; 0x04c reserved
    reportData: reader.bytes(64), // 0x050 REPORT_DATA
    measurement: reader.bytes(48), // 0x090 MEASUREMENT
    hostData: reader.bytes(32), // 0x0c0 HOST_DATA
    idKeyDigest: reader.bytes(48), // 0x0e0 ID_KEY_DIGEST
    authorKeyDigest: reader.bytes(48), // 0x110 AUTHOR_KEY_DIGEST
    reportId: reader.bytes(32), // 0x140 REPORT_ID
    migrationAgentReportId: reader.bytes(32), // 0x160 REPORT_ID_MA
    reportedTcb: reader.bytes(8), // 0x180 REPORTED_TCB
    ...readCpuid(reader, version), // 0x188 CPUID_FAM_ID, CPUID_MOD_ID, CPUID_STEP; 0x18b reserved
    chipId: reader.bytes(64), // 0x1a0 CHIP_ID
    committedTcb: reader.bytes(8), // 0x1e0 COMMITTED_TCB
    currentVersion: readFirmwareVersion(reader), // 0x1e8 CURRENT_BUILD, CURRENT_MINOR, CURRENT_MAJOR, reserved
    committedVersion: readFirmwareVersion(reader), // 0x1ec COMMITTED_BUILD, COMMITTED_MINOR, COMMITTED_MAJOR, reserved
    launchTcb: reader.bytes(8), // 0x1f0 LAUNCH_TCB
    ...readMitigations(reader, version), // 0x1f8 LAUNCH_MIT_VECTOR, 0x200 CURRENT_MIT_VECTOR, 0x208 reserved
    signature: readSignature(reader), // 0x2a0 SIGNATURE: R, S, reserved
    signedBytes: bytes.subarray(0, SIGNED_BYTES),
  };
  reader.end();
  return report;
}

function readVersion(reader: ByteReader): number {
  const version = reader.u32le();
  if (version < MIN_VERSION || version > MAX_VERSION) {
    throw new SnpEvidenceError(
      'REPORT_VERSION_UNSUPPORTED',
      `expected a report of version ${MIN_VERSION} to ${MAX_VERSION}, got ${version}`,
    );
  }
  return version;
}

/** AUTHOR_KEY_EN bit 0, MASK_CHIP_KEY bit 1, SIGNING_KEY bits 4:2; the rest is reserved. */
function readKeyInfo(reader: ByteReader): Pick<SnpReport, 'signingKey' | 'isAuthorKeyEnabled'> {
  const bits = reader.u32le();
  const isChipKeyMasked = (bits & 0b10) !== 0;
  const signingKey = SIGNING_KEYS.get((bits >>> 2) & 0b111);
  // A masked key signs nothing: the firmware then writes a signature of zeros and says "none".
  if (bits >>> 5 !== 0 || signingKey === undefined || (isChipKeyMasked && signingKey !== 'none')) {
    throw new SnpEvidenceError(
      'KEY_INFO_MALFORMED',
      `expected a signing key of 0, 1 or 7 (when masked) and reserved bits of 0, got 0x${bits.toString(16)}`,
    );
  }
  reader.reserved(4);
  return { signingKey, isAuthorKeyEnabled: (bits & 0b1) !== 0 };
}

function readCpuid(reader: ByteReader, version: number): Pick<SnpReport, 'cpuid'> {
  if (version < 3) {
    reader.reserved(24);
    return { cpuid: undefined };
  }
  const cpuid = { family: reader.u8(), model: reader.u8(), stepping: reader.u8() };
  reader.reserved(21);
  return { cpuid };
}

function readFirmwareVersion(reader: ByteReader): FirmwareVersion {
  const version = { build: reader.u8(), minor: reader.u8(), major: reader.u8() };
  reader.reserved(1);
  return version;
}

function readMitigations(reader: ByteReader, version: number): Pick<SnpReport, 'mitigations'> {
  if (version < 5) {
    reader.reserved(168);
    return { mitigations: undefined };
  }
  const mitigations = { launch: reader.u64le(), current: reader.u64le() };
  reader.reserved(152);
  return { mitigations };
}

function readSignature(reader: ByteReader): SnpReport['signature'] {
  const signature = { r: reader.bytes(72), s: reader.bytes(72) };
  reader.reserved(368);
  return signature;
}
