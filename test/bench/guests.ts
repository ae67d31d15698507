import { type KeyObject, sign } from 'node:crypto';
import { promisify } from 'node:util';
import { toBase64 } from '../../server/bytes/encoding.ts';
import type { JsonObject } from '../../server/claims/claims.ts';
import { createSampleEvidence } from '../../server/cli/sample-evidence.ts';
import type { Tee } from '../../server/evidence/tee.ts';
import type { FakeAmd } from '../fakes/fake-amd.ts';
import { encodeFakeReport, fakeReport, inField } from '../fakes/snp-report.ts';
import type { BenchIntel } from './bench-intel.ts';
import type { BootLog } from './boot-event-log.ts';

/** A guest of one kind, whose evidence its hardware has signed. */
export interface Guest {
  readonly tee: Tee;
  /** For the table. */
  readonly name: string;
  /** Evidence about runtime data, and the report data that binds it. */
  makeEvidence(runtimeData: JsonObject, reportData: Uint8Array): Promise<unknown>;
}

const PRODUCT = 'Milan';
const signOnThreadPool = promisify(sign);

/** What the policies compare of the reports below, so that they are affirmed. */
export const REFERENCE_VALUES: readonly (readonly [name: string, value: unknown])[] = [
  ['snp_launch_measurement', ['a5'.repeat(48)]],
  ['snp_bootloader', [3]],
  ['snp_microcode', [115]],
  ['snp_snp_svn', [8]],
  ['snp_tee_svn', [0]],
  ['launch_digest', ['abcde']],
  ['svn', ['1']],
  ['major_version', 1],
  ['minimum_minor_version', 1],
  ['mr_td', ['7d'.repeat(48)]],
  ['xfam', ['e700000000000000']],
  ['rtmr_1', ['b1'.repeat(48)]],
  ['rtmr_2', ['b2'.repeat(48)]],
  ['sgx_mr_enclave', ['ae'.repeat(32)]],
  ['sgx_mr_signer', ['a5'.repeat(32)]],
];

export async function snpGuest(amd: FakeAmd): Promise<Guest> {
  const { cert_chain } = await amd.evidence({ product: PRODUCT });
  const report = fakeReport(PRODUCT, 3);
  const key = amd.keyOf(PRODUCT, Buffer.from(report.chip_id).toString('hex'), report.reported_tcb);
  return {
    tee: 'snp',
    name: 'SNP evidence',
    async makeEvidence(_runtimeData, reportData) {
      const bound = { ...report, report_data: inField(64, reportData) };
      const signature = await signReport(encodeFakeReport(bound, PRODUCT), key);
      return { attestation_report: { ...bound, signature }, cert_chain };
    },
  };
}

/** What nobody signs. */
export const sampleGuest: Guest = {
  tee: 'sample',
  name: 'sample evidence',
  makeEvidence: async (runtimeData) => createSampleEvidence(runtimeData),
};

/** A trust domain, of TDX 1.0; with the event log that its registers hold, where there is one. */
export function tdxGuest(intel: BenchIntel, bootLog?: BootLog): Guest {
  const log = bootLog && toBase64(bootLog.bytes);
  return {
    tee: 'tdx',
    name: 'TDX evidence',
    async makeEvidence(_runtimeData, reportData) {
      const td = { reportData, ...(bootLog && { rtmrs: bootLog.registers }) };
      return { quote: toBase64(await intel.quote('tdx', { td })), cc_eventlog: log ?? null };
    },
  };
}

export function sgxGuest(intel: BenchIntel): Guest {
  return {
    tee: 'sgx',
    name: 'SGX evidence',
    async makeEvidence(_runtimeData, reportData) {
      return { quote: toBase64(await intel.quote('sgx', { enclave: { reportData } })) };
    },
  };
}

/** r and s as AMD writes them: little-endian, 72 bytes each. On the thread pool, so that all cores sign. */
async function signReport(bytes: Uint8Array, key: KeyObject): Promise<{ r: number[]; s: number[] }> {
  const signature = await signOnThreadPool('sha384', bytes.subarray(0, 0x2a0), {
    key,
    dsaEncoding: 'ieee-p1363',
  });
  const field = (scalar: Uint8Array): number[] => [...inField(72, scalar.toReversed())];
  return { r: field(signature.subarray(0, 48)), s: field(signature.subarray(48)) };
}
