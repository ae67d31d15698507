import { ByteReader } from '../../../../server/bytes/byte-reader.ts';
import { isFilledWith } from '../../../../server/bytes/byte-strings.ts';
import type { EvidenceDocument, EvidenceValue } from '../../evidence-provider.ts';
import { AttesterError } from '../attester-error.ts';

export const REPORT_BYTES = 0x4a0;
const MIN_VERSION = 2;
const MAX_VERSION = 5;
/** Family of Turin, whose TCB has another layout. */
const TURIN_FAMILY = 0x1a;
/** On Turin the chip id takes eight of its 64 bytes. */
const TURIN_CHIP_ID_BYTES = 8;

type ReadTcb = (reader: ByteReader) => EvidenceDocument;

/**
 * The evidence JSON of an ATTESTATION_REPORT (AMD 56860, Attestation Report, versions 2 to 5), field by field as guests of
 * Confidential Containers write it. Reserved bytes have no member: one that is not zero could not be shown, and the
 * signature not be verified, so that it is refused here. Throws AttesterError REPORT_UNSUPPORTED; MalformedError TRUNCATED,
 * TRAILING_BYTES, RESERVED_NOT_ZERO.
 */
export function snpReportDocument(bytes: Uint8Array): EvidenceDocument {
  const reader = new ByteReader(bytes);
  const version = readVersion(reader);
  const readTcb = tcbReaderOf(bytes, version);
  // An object literal is evaluated in the order in which it is written, which is the order of the fields.
  const document = {
    version, // 0x000 VERSION
    guest_svn: reader.u32le(), // 0x004 GUEST_SVN
    policy: exact(reader.u64le()), // 0x008 POLICY
    family_id: numbers(reader.bytes(16)), // 0x010 FAMILY_ID
    image_id: numbers(reader.bytes(16)), // 0x020 IMAGE_ID
    vmpl: reader.u32le(), // 0x030 VMPL
    sig_algo: reader.u32le(), // 0x034 SIGNATURE_ALGO
    current_tcb: readTcb(reader), // 0x038 CURRENT_TCB
    plat_info: exact(reader.u64le()), // 0x040 PLATFORM_INFO
    key_info: readKeyInfo(reader), // 0x048 SIGNING_KEY, MASK_CHIP_KEY, AUTHOR_KEY_EN; 0x04c reserved
    report_data: numbers(reader.bytes(64)), // 0x050 REPORT_DATA
    measurement: numbers(reader.bytes(48)), // 0x090 MEASUREMENT
    host_data: numbers(reader.bytes(32)), // 0x0c0 HOST_DATA
    id_key_digest: numbers(reader.bytes(48)), // 0x0e0 ID_KEY_DIGEST
    author_key_digest: numbers(reader.bytes(48)), // 0x110 AUTHOR_KEY_DIGEST
    report_id: numbers(reader.bytes(32)), // 0x140 REPORT_ID
    report_id_ma: numbers(reader.bytes(32)), // 0x160 REPORT_ID_MA
    reported_tcb: readTcb(reader), // 0x180 REPORTED_TCB
    ...readCpuid(reader, version), // 0x188 CPUID_FAM_ID, CPUID_MOD_ID, CPUID_STEP; 0x18b reserved
    chip_id: numbers(reader.bytes(64)), // 0x1a0 CHIP_ID
    committed_tcb: readTcb(reader), // 0x1e0 COMMITTED_TCB
    current: readFirmwareVersion(reader), // 0x1e8 CURRENT_BUILD, CURRENT_MINOR, CURRENT_MAJOR, reserved
    committed: readFirmwareVersion(reader), // 0x1ec COMMITTED_BUILD, COMMITTED_MINOR, COMMITTED_MAJOR, reserved
    launch_tcb: readTcb(reader), // 0x1f0 LAUNCH_TCB
    ...readMitigations(reader, version), // 0x1f8 LAUNCH_MIT_VECTOR, 0x200 CURRENT_MIT_VECTOR, 0x208 reserved
    signature: readSignature(reader), // 0x2a0 SIGNATURE: R, S, reserved
  };
  reader.end();
  return document;
}

/** The 64 bytes of REPORT_DATA, and the 32 of HOST_DATA, of a report that has its length. */
export function reportDataOf(report: Uint8Array): Uint8Array {
  return report.subarray(0x050, 0x090);
}

export function hostDataOf(report: Uint8Array): Uint8Array {
  return report.subarray(0x0c0, 0x0e0);
}

function readVersion(reader: ByteReader): number {
  const version = reader.u32le();
  if (version >= MIN_VERSION && version <= MAX_VERSION) return version;
  throw new AttesterError(
    'REPORT_UNSUPPORTED',
    `expected an SNP report of version ${MIN_VERSION} to ${MAX_VERSION}, got ${version}`,
  );
}

function readKeyInfo(reader: ByteReader): number {
  const keyInfo = reader.u32le();
  reader.reserved(4);
  return keyInfo;
}

/** Reports of version 2 do not name the processor, but chip ids of Turin are short. */
function tcbReaderOf(bytes: Uint8Array, version: number): ReadTcb {
  const chipId = bytes.subarray(0x1a0, 0x1e0);
  const isTurin =
    version >= 3
      ? bytes[0x188] === TURIN_FAMILY
      : !isFilledWith(chipId, 0) && isFilledWith(chipId.subarray(TURIN_CHIP_ID_BYTES), 0);
  return isTurin ? readTurinTcb : readOlderTcb;
}

/** TCB_VERSION up to Genoa. */
function readOlderTcb(reader: ByteReader): EvidenceDocument {
  const bootloader = reader.u8();
  const tee = reader.u8();
  reader.reserved(4);
  return { fmc: null, bootloader, tee, snp: reader.u8(), microcode: reader.u8() };
}

/** TCB_VERSION from Turin on. */
function readTurinTcb(reader: ByteReader): EvidenceDocument {
  const tcb = { fmc: reader.u8(), bootloader: reader.u8(), tee: reader.u8(), snp: reader.u8() };
  reader.reserved(3);
  return { ...tcb, microcode: reader.u8() };
}

function readCpuid(reader: ByteReader, version: number): EvidenceDocument {
  if (version < 3) {
    reader.reserved(24);
    return { cpuid_fam_id: null, cpuid_mod_id: null, cpuid_step: null };
  }
  const cpuid = { cpuid_fam_id: reader.u8(), cpuid_mod_id: reader.u8(), cpuid_step: reader.u8() };
  reader.reserved(21);
  return cpuid;
}

function readFirmwareVersion(reader: ByteReader): EvidenceDocument {
  const build = reader.u8();
  const minor = reader.u8();
  const major = reader.u8();
  reader.reserved(1);
  return { major, minor, build };
}

function readMitigations(reader: ByteReader, version: number): EvidenceDocument {
  if (version < 5) {
    reader.reserved(168);
    return { launch_mit_vector: null, current_mit_vector: null };
  }
  const mitigations = {
    launch_mit_vector: exact(reader.u64le()),
    current_mit_vector: exact(reader.u64le()),
  };
  reader.reserved(152);
  return mitigations;
}

function readSignature(reader: ByteReader): EvidenceDocument {
  const signature = { r: numbers(reader.bytes(72)), s: numbers(reader.bytes(72)) };
  reader.reserved(368);
  return signature;
}

function numbers(bytes: Uint8Array): readonly number[] {
  return [...bytes];
}

function exact(value: bigint): EvidenceValue {
  return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;
}
