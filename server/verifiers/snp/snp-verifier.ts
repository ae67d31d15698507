import { bytesEqual, padTo } from '../../bytes/byte-strings.ts';
import type { CollateralStore } from '../../collateral/collateral.ts';
import type { Verifier } from '../verifier.ts';
import type { SnpAnchors } from './anchor-set.ts';
import { snpClaims } from './claims.ts';
import { type EndorsementKeyType, requireKeyFits } from './endorsement-key.ts';
import { createEndorser } from './endorser.ts';
import { readSnpEvidence } from './evidence.ts';
import { createKdsClient, type KdsOptions } from './kds-client.ts';
import type { ProductLine } from './product.ts';
import { type FirmwareVersion, parseSnpReport, type SnpReport } from './report.ts';
import { verifyReportSignature } from './report-signature.ts';
import { createRevocationCheck } from './revocation.ts';
import { SnpEvidenceError } from './snp-evidence-error.ts';
import { isTcbAtLeast, readTcb, tcbText } from './tcb.ts';
import { createVcekFinder } from './vcek-finder.ts';

export interface SnpVerifierOptions {
  /** What is believed without proof: `amdAnchors()`, or those of a test PKI. */
  readonly anchors: SnpAnchors;
  readonly store: CollateralStore;
  /** `undefined`: offline. Nothing is fetched then. */
  readonly kds: KdsOptions | undefined;
  readonly revocation: 'required' | 'when-available';
  /** How far past its nextUpdate a revocation list may be. */
  readonly maxStaleSeconds: number;
  /** Privilege levels that may ask for a token. Level 0 unless configured: what runs there speaks for the guest. */
  readonly allowedVmpls?: readonly number[];
}

/** Proves AMD SEV-SNP reports (AMD 56860 rev. 1.58), endorsed by a VCEK or VLEK. */
export function createSnpVerifier(options: SnpVerifierOptions): Verifier {
  const { anchors, store, revocation: mode, maxStaleSeconds, allowedVmpls = [0] } = options;
  const kds = options.kds && createKdsClient(options.kds);
  const checkRevocation = createRevocationCheck({ store, kds, mode, maxStaleSeconds });
  const endorse = createEndorser({ anchors, store });
  const findVcek = createVcekFinder({ store, kds, endorse });
  return {
    async verify(evidence, expected, at) {
      const { report: reportBytes, certificates } = readSnpEvidence(evidence);
      const report = parseSnpReport(reportBytes);
      const type = signingKeyOf(report);
      const proven = certificates
        ? await endorse(report, type, certificates, at)
        : await findVcek(report, at);
      requireKeyFits(proven.key, proven.product, report);
      const revocation = await checkRevocation(proven.product, proven.root, [proven.authority], at);
      await verifyReportSignature(report, proven.key.publicKey);
      requireVmpl(report, allowedVmpls);
      requireVersionsInOrder(report, proven.product);
      requireReportData(report, expected.reportData);
      requireHostData(report, expected.initDataDigest);
      return [{ class: 'cpu', claims: snpClaims(report, proven, revocation) }];
    },
  };
}

function signingKeyOf(report: SnpReport): EndorsementKeyType {
  if (report.signingKey !== 'none') return report.signingKey;
  throw new SnpEvidenceError(
    'SIGNING_KEY_UNSUPPORTED',
    'expected a report signed with a VCEK or VLEK, got an unsigned one: the host masks the chip key',
  );
}

function requireVmpl({ vmpl }: SnpReport, allowed: readonly number[]): void {
  if (allowed.includes(vmpl)) return;
  throw new SnpEvidenceError('VMPL_NOT_ALLOWED', `expected VMPL ${allowed.join(', ')}, got ${vmpl}`);
}

/** Firmware may run ahead of what is committed and may report less than it has, never the other way (AMD 56860, TCB). */
function requireVersionsInOrder(report: SnpReport, product: ProductLine): void {
  const reported = readTcb(report.reportedTcb, product);
  const committed = readTcb(report.committedTcb, product);
  const current = readTcb(report.currentTcb, product);
  const isOrdered =
    isTcbAtLeast(committed, reported) &&
    isTcbAtLeast(current, committed) &&
    isVersionAtLeast(report.currentVersion, report.committedVersion);
  if (isOrdered) return;
  throw new SnpEvidenceError(
    'TCB_ORDER_VIOLATED',
    `expected reported, committed and current TCB in this order, got (${tcbText(reported)}), (${tcbText(committed)}), (${tcbText(current)})`,
  );
}

function isVersionAtLeast(actual: FirmwareVersion, minimum: FirmwareVersion): boolean {
  if (actual.major !== minimum.major) return actual.major > minimum.major;
  if (actual.minor !== minimum.minor) return actual.minor > minimum.minor;
  return actual.build >= minimum.build;
}

function requireReportData({ reportData }: SnpReport, expected: Uint8Array | undefined): void {
  if (expected === undefined || fills(reportData, expected)) return;
  throw new SnpEvidenceError(
    'REPORT_DATA_MISMATCH',
    `expected the report to carry the ${expected.byteLength} bytes of this request, got others`,
  );
}

/**
 * The host puts the init data digest into HOST_DATA at launch. The field holds 32 bytes; launchers cut the longer digests
 * of SHA-384 and SHA-512, whose first 256 bits still identify the init data.
 */
function requireHostData({ hostData }: SnpReport, expected: Uint8Array | undefined): void {
  if (expected === undefined) return;
  const digest = LONGER_DIGESTS.has(expected.byteLength)
    ? expected.subarray(0, hostData.byteLength)
    : expected;
  if (fills(hostData, digest)) return;
  throw new SnpEvidenceError(
    'INIT_DATA_MISMATCH',
    `expected host data to be the init data digest of this request (${expected.byteLength} bytes), got another`,
  );
}

/** Bytes of SHA-384 and SHA-512. */
const LONGER_DIGESTS: ReadonlySet<number> = new Set([48, 64]);

/** Shorter expectations are padded with zeros; one that does not fit cannot have been carried. */
function fills(field: Uint8Array, expected: Uint8Array): boolean {
  const padded = padTo(expected, field.byteLength);
  return padded !== undefined && bytesEqual(padded, field);
}
