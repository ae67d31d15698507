import { createHash, type KeyObject } from 'node:crypto';
import type { FakeAmd } from './fake-amd.ts';
import { encodeFakeReport, type FakeReport, fakeReport, inField, signReport } from './snp-report.ts';
import {
  createFakeAk,
  type FakeKeyPair,
  type FakeQuote,
  type FakeQuoteOptions,
  fakeQuote,
} from './tpm-quote.ts';

/** Everything about the HCL report around a hardware report that a test may want wrong. */
export interface FakeHclOptions {
  readonly magic?: string;
  readonly reportSize?: number;
  readonly dataSize?: number;
  readonly version?: number;
  readonly type?: number;
  readonly hashType?: number;
  readonly variableSize?: number;
  readonly padding?: Uint8Array;
}

/** Everything about the evidence of an Azure VM that a test may want wrong. The rest is right. */
export interface FakeAzureOptions {
  /** 2 */
  readonly version?: 0 | 1 | 2;
  /** What the guest puts into the quote, and into the user data. */
  readonly reportData?: Uint8Array;
  readonly userData?: Uint8Array;
  readonly quote?: FakeQuoteOptions;
  /** The members of the variable data, or its text, before it is hashed. */
  readonly variableData?: (usual: FakeVariableData) => unknown;
  readonly hcl?: FakeHclOptions;
  /** The 64 bytes of report data in the hardware report, where it is not the digest of the variable data. */
  readonly hardwareReportData?: (usual: Uint8Array) => Uint8Array;
}

export interface FakeAzureSnpOptions extends FakeAzureOptions {
  readonly report?: Partial<FakeReport>;
}

export interface FakeAzureTdxOptions extends FakeAzureOptions {
  /** The TD quote around the report data that it has to carry. */
  readonly tdQuote: (reportData: Uint8Array) => Uint8Array | Promise<Uint8Array>;
}

export interface FakeVariableData {
  readonly keys: readonly Readonly<Record<string, unknown>>[];
  readonly 'vm-configuration': Readonly<Record<string, unknown>>;
  readonly 'user-data': string;
}

/** The evidence JSON of a guest. Mutable, so that a test can break one thing of it. */
export type FakeAzureEvidence = Record<string, unknown>;

export interface FakeAzure {
  readonly ak: FakeKeyPair;
  snpEvidence(amd: FakeAmd, options?: FakeAzureSnpOptions): Promise<FakeAzureEvidence>;
  tdxEvidence(options: FakeAzureTdxOptions): Promise<FakeAzureEvidence>;
}

/** What a paravisor wrote, and the report data that has to vouch for it. */
interface FakeParavisor {
  readonly variableData: Uint8Array;
  readonly reportData: Uint8Array;
}

const SNP = 2;
const TDX = 4;
/** Bytes of the NV index that holds the report. */
const NV_BYTES = 2600;

/** A confidential VM on an Azure of our own: its vTPM, its paravisor, and what its guest sends. */
export function createFakeAzure(): FakeAzure {
  const ak = createFakeAk();
  const otherKey = createFakeAk().publicKey;
  return {
    ak,
    async snpEvidence(amd, options = {}) {
      const { variableData, reportData } = paravisor(ak.publicKey, otherKey, options);
      const overrides = { report_data: inField(64, reportData), ...options.report };
      const report = { ...fakeReport('Milan', 3), ...overrides };
      const chipId = Uint8Array.from(report.chip_id);
      const key = amd.keyOf('Milan', Buffer.from(chipId).toString('hex'), report.reported_tcb);
      const hardware = signedReport(report, key);
      const vcek = await amd.vcek('Milan', chipId, report.reported_tcb);
      const hcl = encodeFakeHclReport(hardware, variableData, { type: SNP, ...options.hcl });
      return snpForm(options.version ?? 2, quoteOf(ak, options), hcl, vcek);
    },
    async tdxEvidence(options) {
      const { variableData, reportData } = paravisor(ak.publicKey, otherKey, options);
      const tdQuote = await options.tdQuote(reportData);
      const hcl = encodeFakeHclReport(new Uint8Array(0x4a0).fill(0x81), variableData, {
        type: TDX,
        ...options.hcl,
      });
      return tdxForm(options.version ?? 2, quoteOf(ak, options), hcl, tdQuote);
    },
  };
}

/** Written apart from the server's reader, so that one checks the other. */
export function encodeFakeHclReport(
  hardwareReport: Uint8Array,
  variableData: Uint8Array,
  options: FakeHclOptions = {},
): Uint8Array {
  const dataSize = options.dataSize ?? 20 + variableData.byteLength;
  const head = Buffer.alloc(0x4d4);
  head.write(options.magic ?? 'HCLA', 0, 'latin1');
  head.writeUInt32LE(1, 4);
  head.writeUInt32LE(options.reportSize ?? 0x4c0 + dataSize, 8);
  head.writeUInt32LE(2, 12);
  head.set(hardwareReport, 0x20);
  head.writeUInt32LE(dataSize, 0x4c0);
  head.writeUInt32LE(options.version ?? 1, 0x4c4);
  head.writeUInt32LE(options.type ?? SNP, 0x4c8);
  head.writeUInt32LE(options.hashType ?? 1, 0x4cc);
  head.writeUInt32LE(options.variableSize ?? variableData.byteLength, 0x4d0);
  const used = head.byteLength + variableData.byteLength;
  const padding = options.padding ?? new Uint8Array(Math.max(0, NV_BYTES - used));
  return Buffer.concat([head, variableData, padding]);
}

function paravisor(ak: KeyObject, ek: KeyObject, options: FakeAzureOptions): FakeParavisor {
  const userData = Buffer.alloc(64);
  userData.set(options.userData ?? options.reportData ?? []);
  const usual: FakeVariableData = {
    keys: [
      { kid: 'HCLAkPub', key_ops: ['sign'], ...ak.export({ format: 'jwk' }) },
      { kid: 'HCLEkPub', key_ops: ['encrypt'], ...ek.export({ format: 'jwk' }) },
    ],
    'vm-configuration': { 'console-enabled': true, 'secure-boot': true, 'tpm-enabled': true },
    'user-data': userData.toString('hex').toUpperCase(),
  };
  const chosen = options.variableData?.(usual) ?? usual;
  const variableData = Buffer.from(typeof chosen === 'string' ? chosen : JSON.stringify(chosen));
  const reportData = new Uint8Array(64);
  reportData.set(createHash('sha256').update(variableData).digest());
  return { variableData, reportData: options.hardwareReportData?.(reportData) ?? reportData };
}

function signedReport(report: FakeReport, key: KeyObject): Uint8Array {
  const bytes = encodeFakeReport(report, 'Milan');
  const { r, s } = signReport(bytes, key);
  bytes.set(r, 0x2a0);
  bytes.set(s, 0x2e8);
  return bytes;
}

function quoteOf(ak: FakeKeyPair, options: FakeAzureOptions): FakeQuote {
  return fakeQuote(ak.privateKey, { extraData: options.reportData ?? new Uint8Array(), ...options.quote });
}

function snpForm(version: 0 | 1 | 2, quote: FakeQuote, hcl: Uint8Array, vcek: Uint8Array): FakeAzureEvidence {
  if (version === 0) return { quote: arrays(quote), report: [...hcl], vcek: pemOf(vcek) };
  return { version, tpm_quote: hexes(quote), hcl_report: padded(hcl), vcek: padded(vcek) };
}

function tdxForm(version: 0 | 1 | 2, quote: FakeQuote, hcl: Uint8Array, td: Uint8Array): FakeAzureEvidence {
  if (version === 0) return { tpm_quote: arrays(quote), hcl_report: [...hcl], td_quote: [...td] };
  return { version, tpm_quote: hexes(quote), hcl_report: padded(hcl), td_quote: padded(td) };
}

function hexes({ rawSignature, message, values }: FakeQuote): Record<string, unknown> {
  const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
  return { signature: hex(rawSignature), message: hex(message), pcrs: values.map(hex) };
}

function arrays({ rawSignature, message, values }: FakeQuote): Record<string, unknown> {
  return { signature: [...rawSignature], message: [...message], pcrs: values.map((value) => [...value]) };
}

/** base64url with padding, as guests write it. */
function padded(bytes: Uint8Array): string {
  const text = Buffer.from(bytes).toString('base64url');
  return text.padEnd(Math.ceil(text.length / 4) * 4, '=');
}

function pemOf(der: Uint8Array): string {
  const lines = Buffer.from(der).toString('base64').replaceAll(/.{64}/g, '$&\n');
  return `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`;
}
