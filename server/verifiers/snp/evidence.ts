import { bytesEqual } from '../../bytes/byte-strings.ts';
import { derOf } from '../../x509/pem.ts';
import { REPORT_BYTES } from './report.ts';
import { SnpEvidenceError } from './snp-evidence-error.ts';
import { TCB_LAYOUTS, type TcbComponent } from './tcb.ts';

/** Real certificate tables have three or four entries. */
const MAX_CERTIFICATES = 8;
/** A PEM certificate with an RSA key of 4096 bits is below 3 KiB. */
const MAX_CERTIFICATE_BYTES = 8192;
const TURIN_FAMILY = 0x1a;
const U32_MAX = 0xffff_ffff;
const U64_END = 1n << 64n;

/** DER of a VCEK or VLEK (which, its extensions say, not its label), and of the authority above it. Unproven. */
export interface SuppliedCertificates {
  readonly endorsementKey: Uint8Array;
  /** An ASK or ASVK that came along. Only of use where none is pinned. */
  readonly intermediate: Uint8Array | undefined;
}

/** SNP evidence in our own form: the report as the firmware wrote it, and what came with it. */
interface SnpEvidence {
  readonly report: Uint8Array;
  /** `undefined` when no endorsement key came along. */
  readonly certificates: SuppliedCertificates | undefined;
}

type Members = Readonly<Record<string, unknown>>;

/** Byte arrays of `attestation_report` with their places (AMD 56860 rev. 1.58, Attestation Report). */
const BYTE_FIELDS = [
  ['family_id', 0x010, 16],
  ['image_id', 0x020, 16],
  ['report_data', 0x050, 64],
  ['measurement', 0x090, 48],
  ['host_data', 0x0c0, 32],
  ['id_key_digest', 0x0e0, 48],
  ['author_key_digest', 0x110, 48],
  ['report_id', 0x140, 32],
  ['report_id_ma', 0x160, 32],
  ['chip_id', 0x1a0, 64],
] as const;
const U32_FIELDS = [
  ['version', 0x000],
  ['guest_svn', 0x004],
  ['vmpl', 0x030],
  ['sig_algo', 0x034],
  ['key_info', 0x048],
] as const;
const U64_FIELDS = [
  ['policy', 0x008],
  ['plat_info', 0x040],
] as const;
/** Absent or null before the version that introduced them; zero in the report then. */
const OPTIONAL_U64_FIELDS = [
  ['launch_mit_vector', 0x1f8],
  ['current_mit_vector', 0x200],
] as const;
const OPTIONAL_U8_FIELDS = [
  ['cpuid_fam_id', 0x188],
  ['cpuid_mod_id', 0x189],
  ['cpuid_step', 0x18a],
] as const;
const TCB_FIELDS = [
  ['current_tcb', 0x038],
  ['reported_tcb', 0x180],
  ['committed_tcb', 0x1e0],
  ['launch_tcb', 0x1f0],
] as const;
const VERSION_FIELDS = [
  ['current', 0x1e8],
  ['committed', 0x1ec],
] as const;

/**
 * Reads the evidence JSON of the Confidential Containers guest: `{attestation_report: {...}, cert_chain?: null | [...]}`,
 * byte arrays as arrays of numbers, 64-bit members as number or bigint. The report arrives field by field and is put
 * together again as the firmware wrote it; reserved bytes are zero. Unknown members are ignored, as its other readers do.
 * Throws SnpEvidenceError EVIDENCE_MALFORMED, ENDORSEMENT_KEY_AMBIGUOUS; X509Error CERTIFICATE_MALFORMED.
 */
export function readSnpEvidence(evidence: unknown): SnpEvidence {
  const document = members(evidence, 'evidence');
  const report = encodeReport(members(document['attestation_report'], 'attestation_report'));
  return { report, certificates: readCertificates(document['cert_chain']) };
}

function encodeReport(source: Members): Uint8Array {
  const report = new Uint8Array(REPORT_BYTES);
  encodeIntegers(source, report);
  for (const [name, offset, length] of BYTE_FIELDS) copyBytes(source[name], report, offset, length, name);
  const layout = isTurin(source) ? TCB_LAYOUTS.Turin : TCB_LAYOUTS.Genoa;
  for (const [name, offset] of TCB_FIELDS) encodeTcb(members(source[name], name), layout, report, offset);
  for (const [name, offset] of VERSION_FIELDS) encodeVersion(members(source[name], name), report, offset);
  const signature = members(source['signature'], 'signature');
  copyBytes(signature['r'], report, 0x2a0, 72, 'signature.r');
  copyBytes(signature['s'], report, 0x2e8, 72, 'signature.s');
  return report;
}

function encodeIntegers(source: Members, report: Uint8Array): void {
  const view = new DataView(report.buffer);
  for (const [name, offset] of U32_FIELDS) view.setUint32(offset, integer(source[name], U32_MAX, name), true);
  for (const [name, offset] of U64_FIELDS) view.setBigUint64(offset, u64(source[name], name), true);
  for (const [name, offset] of OPTIONAL_U64_FIELDS) {
    view.setBigUint64(offset, u64(source[name] ?? 0, name), true);
  }
  for (const [name, offset] of OPTIONAL_U8_FIELDS)
    view.setUint8(offset, integer(source[name] ?? 0, 0xff, name));
}

/** Reports without CPUID (version 2) tell by an `fmc` that is a number. A wrong guess fails at the signature. */
function isTurin(source: Members): boolean {
  const family = source['cpuid_fam_id'] ?? undefined;
  if (family !== undefined) return family === TURIN_FAMILY;
  return typeof members(source['reported_tcb'], 'reported_tcb')['fmc'] === 'number';
}

function encodeTcb(
  source: Members,
  layout: readonly (TcbComponent | undefined)[],
  report: Uint8Array,
  offset: number,
): void {
  const fmc = integer(source['fmc'] ?? 0, 0xff, 'fmc');
  if (fmc !== 0 && !layout.includes('fmc')) throw malformed('no fmc before Turin', `${fmc}`);
  layout.forEach((component, index) => {
    if (component === undefined) return;
    report[offset + index] = component === 'fmc' ? fmc : integer(source[component], 0xff, component);
  });
}

function encodeVersion(source: Members, report: Uint8Array, offset: number): void {
  report[offset] = integer(source['build'], 0xff, 'build');
  report[offset + 1] = integer(source['minor'], 0xff, 'minor');
  report[offset + 2] = integer(source['major'], 0xff, 'major');
}

/** An empty table is as good as none. Certificates of the host's vendors that are pinned here are not looked at. */
function readCertificates(chain: unknown): SuppliedCertificates | undefined {
  const entries: unknown = chain ?? [];
  if (!Array.isArray(entries) || entries.length > MAX_CERTIFICATES) {
    const came = Array.isArray(entries) ? `${entries.length}` : 'something else';
    throw malformed(`a cert_chain of at most ${MAX_CERTIFICATES} certificates`, came);
  }
  const table = entries.map((entry: unknown) => members(entry, 'certificate'));
  const [endorsementKey, ...others] = table.filter(isEndorsementKey).map(certificateBytes);
  if (endorsementKey === undefined) return undefined;
  if (others.some((other) => !bytesEqual(other, endorsementKey))) {
    throw new SnpEvidenceError(
      'ENDORSEMENT_KEY_AMBIGUOUS',
      `expected one VCEK or VLEK, got ${others.length + 1} different ones`,
    );
  }
  const intermediate = table.find((entry) => entry['cert_type'] === 'ASK');
  return { endorsementKey, intermediate: intermediate && certificateBytes(intermediate) };
}

function isEndorsementKey(entry: Members): boolean {
  return entry['cert_type'] === 'VCEK' || entry['cert_type'] === 'VLEK';
}

function certificateBytes(entry: Members): Uint8Array {
  const data = entry['data'];
  const length = Array.isArray(data) ? data.length : 0;
  if (length === 0 || length > MAX_CERTIFICATE_BYTES) {
    throw malformed(`a certificate of 1 to ${MAX_CERTIFICATE_BYTES} bytes`, `${length}`);
  }
  const bytes = new Uint8Array(length);
  copyBytes(data, bytes, 0, length, 'certificate');
  return derOf(bytes);
}

/** Every request copies some 2,500 numbers: hence a loop over numbers, not a schema for each. */
function copyBytes(source: unknown, target: Uint8Array, offset: number, length: number, name: string): void {
  if (!Array.isArray(source) || source.length !== length) {
    const came = Array.isArray(source) ? `${source.length}` : 'something else';
    throw malformed(`'${name}' as an array of ${length} bytes`, came);
  }
  const numbers: readonly unknown[] = source;
  for (let index = 0; index < length; index++) {
    const byte = numbers[index];
    if (typeof byte !== 'number' || (byte & 0xff) !== byte)
      throw malformed(`bytes in '${name}'`, 'another value');
    target[offset + index] = byte;
  }
}

function members(value: unknown, name: string): Members {
  if (!isMembers(value)) throw malformed(`'${name}' as a JSON object`, 'something else');
  return value;
}

function isMembers(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function integer(value: unknown, maximum: number, name: string): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > maximum) {
    throw malformed(`'${name}' as an integer from 0 to ${maximum}`, 'something else');
  }
  return value;
}

/** Beyond 2^53 a number may have been rounded on its way; only a bigint is exact. */
function u64(value: unknown, name: string): bigint {
  const isExact = typeof value === 'bigint' || (typeof value === 'number' && Number.isSafeInteger(value));
  const exact = isExact ? BigInt(value) : -1n;
  if (exact < 0n || exact >= U64_END) throw malformed(`'${name}' as a 64-bit integer`, 'something else');
  return exact;
}

function malformed(expected: string, came: string): SnpEvidenceError {
  return new SnpEvidenceError('EVIDENCE_MALFORMED', `expected ${expected}, got ${came}`);
}
