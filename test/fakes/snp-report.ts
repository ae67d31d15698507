import { type KeyObject, sign } from 'node:crypto';
import type { ProductLine } from '../../server/verifiers/snp/product.ts';

export interface FakeTcb {
  readonly fmc: number | null;
  readonly bootloader: number;
  readonly tee: number;
  readonly snp: number;
  readonly microcode: number;
}

interface FakeVersion {
  readonly major: number;
  readonly minor: number;
  readonly build: number;
}

/** `attestation_report` as the guest sends it, without its signature. */
export interface FakeReport {
  readonly version: number;
  readonly guest_svn: number;
  readonly policy: number | bigint;
  readonly family_id: readonly number[];
  readonly image_id: readonly number[];
  readonly vmpl: number;
  readonly sig_algo: number;
  readonly current_tcb: FakeTcb;
  readonly plat_info: number | bigint;
  readonly key_info: number;
  readonly report_data: readonly number[];
  readonly measurement: readonly number[];
  readonly host_data: readonly number[];
  readonly id_key_digest: readonly number[];
  readonly author_key_digest: readonly number[];
  readonly report_id: readonly number[];
  readonly report_id_ma: readonly number[];
  readonly reported_tcb: FakeTcb;
  readonly cpuid_fam_id: number | null;
  readonly cpuid_mod_id: number | null;
  readonly cpuid_step: number | null;
  readonly chip_id: readonly number[];
  readonly committed_tcb: FakeTcb;
  readonly current: FakeVersion;
  readonly committed: FakeVersion;
  readonly launch_tcb: FakeTcb;
  readonly launch_mit_vector: number | bigint | null;
  readonly current_mit_vector: number | bigint | null;
}

/** Family and model of a processor of each line. */
const CPUID = { Milan: [0x19, 0x01], Genoa: [0x19, 0x11], Turin: [0x1a, 0x02] } as const;

/** One chip of each line. */
const CHIPS = { Milan: 0xc1, Genoa: 0xc2, Turin: 0xc3 } as const;

/** A report as an honest guest on a well-kept machine would get it. */
export function fakeReport(product: ProductLine, version: number): FakeReport {
  const isTurin = product === 'Turin';
  const tcb: FakeTcb = { fmc: isTurin ? 1 : null, bootloader: 3, tee: 0, snp: 8, microcode: 115 };
  const [family, model] = CPUID[product];
  const hasCpuid = version >= 3;
  return {
    version,
    guest_svn: 4,
    policy: 0x3_0000,
    family_id: filled(16, 0x0f),
    image_id: filled(16, 0x1a),
    vmpl: 0,
    sig_algo: 1,
    current_tcb: tcb,
    plat_info: 0x25,
    key_info: 0,
    report_data: filled(64, 0),
    measurement: filled(48, 0xa5),
    host_data: filled(32, 0),
    id_key_digest: filled(48, 0x1d),
    author_key_digest: filled(48, 0),
    report_id: filled(32, 0x42),
    report_id_ma: filled(32, 0xff),
    reported_tcb: tcb,
    cpuid_fam_id: hasCpuid ? family : null,
    cpuid_mod_id: hasCpuid ? model : null,
    cpuid_step: hasCpuid ? 1 : null,
    chip_id: chipId(product, CHIPS[product]),
    committed_tcb: tcb,
    current: { major: 1, minor: 55, build: 29 },
    committed: { major: 1, minor: 55, build: 29 },
    launch_tcb: tcb,
    launch_mit_vector: version >= 5 ? 0 : null,
    current_mit_vector: version >= 5 ? 0 : null,
  };
}

/** 64 bytes of one value; on Turin only the first eight, the rest zero. */
export function chipId(product: ProductLine, value: number): readonly number[] {
  return product === 'Turin' ? [...filled(8, value), ...filled(56, 0)] : filled(64, value);
}

export function filled(length: number, value: number): readonly number[] {
  return Array.from({ length }, () => value);
}

/** Bytes at the start of a field, the rest zero. */
export function inField(length: number, bytes: Uint8Array): readonly number[] {
  return Array.from({ length }, (_, index) => bytes[index] ?? 0);
}

/** The 1184 bytes, unsigned. Written apart from the server's own encoder, so that one checks the other. */
export function encodeFakeReport(report: FakeReport, product: ProductLine): Uint8Array {
  const bytes = new Uint8Array(0x4a0);
  const view = new DataView(bytes.buffer);
  view.setUint32(0x000, report.version, true);
  view.setUint32(0x004, report.guest_svn, true);
  view.setBigUint64(0x008, BigInt(report.policy), true);
  bytes.set(report.family_id, 0x010);
  bytes.set(report.image_id, 0x020);
  view.setUint32(0x030, report.vmpl, true);
  view.setUint32(0x034, report.sig_algo, true);
  bytes.set(encodeFakeTcb(report.current_tcb, product), 0x038);
  view.setBigUint64(0x040, BigInt(report.plat_info), true);
  view.setUint32(0x048, report.key_info, true);
  bytes.set(report.report_data, 0x050);
  bytes.set(report.measurement, 0x090);
  bytes.set(report.host_data, 0x0c0);
  bytes.set(report.id_key_digest, 0x0e0);
  bytes.set(report.author_key_digest, 0x110);
  bytes.set(report.report_id, 0x140);
  bytes.set(report.report_id_ma, 0x160);
  bytes.set(encodeFakeTcb(report.reported_tcb, product), 0x180);
  bytes.set([report.cpuid_fam_id ?? 0, report.cpuid_mod_id ?? 0, report.cpuid_step ?? 0], 0x188);
  bytes.set(report.chip_id, 0x1a0);
  bytes.set(encodeFakeTcb(report.committed_tcb, product), 0x1e0);
  bytes.set([report.current.build, report.current.minor, report.current.major], 0x1e8);
  bytes.set([report.committed.build, report.committed.minor, report.committed.major], 0x1ec);
  bytes.set(encodeFakeTcb(report.launch_tcb, product), 0x1f0);
  view.setBigUint64(0x1f8, BigInt(report.launch_mit_vector ?? 0), true);
  view.setBigUint64(0x200, BigInt(report.current_mit_vector ?? 0), true);
  return bytes;
}

export function encodeFakeTcb(tcb: FakeTcb, product: ProductLine): readonly number[] {
  return product === 'Turin'
    ? [tcb.fmc ?? 0, tcb.bootloader, tcb.tee, tcb.snp, 0, 0, 0, tcb.microcode]
    : [tcb.bootloader, tcb.tee, 0, 0, 0, 0, tcb.snp, tcb.microcode];
}

/** r and s as AMD writes them: little-endian, 72 bytes each. */
export function signReport(
  bytes: Uint8Array,
  key: KeyObject,
): { readonly r: number[]; readonly s: number[] } {
  const signature = sign('sha384', bytes.subarray(0, 0x2a0), { key, dsaEncoding: 'ieee-p1363' });
  const half = signature.byteLength / 2;
  return { r: field(signature.subarray(0, half)), s: field(signature.subarray(half)) };
}

/** The whole signed report as the firmware writes it. */
export function signedReportBytes(bytes: Uint8Array, key: KeyObject): Uint8Array {
  const { r, s } = signReport(bytes, key);
  const signed = Uint8Array.from(bytes);
  signed.set(r, 0x2a0);
  signed.set(s, 0x2e8);
  return signed;
}

function field(bigEndian: Uint8Array): number[] {
  return [...inField(72, bigEndian.toReversed())];
}
