import type { Claims } from '../../claims/claims.ts';
import type { CollateralStore } from '../../collateral/collateral.ts';
import type { SnpAnchors } from './anchor-set.ts';
import { snpClaims } from './claims.ts';
import { type EndorsementKeyType, requireKeyFits } from './endorsement-key.ts';
import { createEndorser } from './endorser.ts';
import type { SuppliedCertificates } from './evidence.ts';
import { createKdsClient, type KdsOptions } from './kds-client.ts';
import type { ProductLine } from './product.ts';
import { type FirmwareVersion, parseSnpReport, type SnpReport } from './report.ts';
import { verifyReportSignature } from './report-signature.ts';
import { createRevocationCheck } from './revocation.ts';
import { SnpEvidenceError } from './snp-evidence-error.ts';
import { isTcbAtLeast, readTcb, tcbText } from './tcb.ts';
import { createVcekFinder } from './vcek-finder.ts';

export interface SnpProverOptions {
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

/** A report that AMD vouches for, and what it says. Whether it carries what a request asked for is another question. */
export interface ProvenSnpReport {
  readonly report: SnpReport;
  readonly claims: Claims;
}

/** Proves the 1184 bytes of a report, whatever brought them. `supplied` when an endorsement key came along. */
export interface SnpProver {
  /** Throws SnpEvidenceError, X509Error, MalformedError; CouldNotCheckError where that could not be found out. */
  prove(
    reportBytes: Uint8Array,
    supplied: SuppliedCertificates | undefined,
    at: Date,
  ): Promise<ProvenSnpReport>;
}

/**
 * Proves AMD SEV-SNP reports (AMD 56860 rev. 1.58), endorsed by a VCEK or VLEK. One prover serves all that bring such
 * reports, so that they share its caches.
 */
export function createSnpProver(options: SnpProverOptions): SnpProver {
  const { anchors, store, revocation: mode, maxStaleSeconds, allowedVmpls = [0] } = options;
  const kds = options.kds && createKdsClient(options.kds);
  const checkRevocation = createRevocationCheck({ store, kds, mode, maxStaleSeconds });
  const endorse = createEndorser({ anchors, store });
  const findVcek = createVcekFinder({ store, kds, endorse });
  return {
    async prove(reportBytes, supplied, at) {
      const report = parseSnpReport(reportBytes);
      const type = signingKeyOf(report);
      const proven = supplied ? await endorse(report, type, supplied, at) : await findVcek(report, at);
      requireKeyFits(proven.key, proven.product, report);
      const revocation = await checkRevocation(proven.product, proven.root, [proven.authority], at);
      await verifyReportSignature(report, proven.key.publicKey);
      requireVmpl(report, allowedVmpls);
      requireVersionsInOrder(report, proven.product);
      return { report, claims: snpClaims(report, proven, revocation) };
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
