import type { VerifiedCollateral } from './collateral.ts';
import { type QeReport, verifyQeReport } from './qe-identity.ts';
import { TcbError } from './tcb-error.ts';
import type { ComponentLevel, TcbInfo } from './tcb-info.ts';
import { findPlatformLevel, type PlatformTcb } from './tcb-level.ts';
import { convergeStatuses, type TcbStatus } from './tcb-status.ts';
import { adviseRelaunch } from './td-relaunch.ts';
import { findTdxModuleLevel, type TdxModuleReport, verifyTdxModule } from './tdx-module.ts';

/** What a trust domain's report says about the TCB below it. */
export interface TdTcbReport extends TdxModuleReport {
  /** TD 1.5: 16 bytes, what runs now, where teeTcbSvn is of the TD's launch. */
  readonly teeTcbSvn2: Uint8Array | undefined;
}

/** What a proven quote says about its TCB. */
export interface PlatformReport {
  readonly tcb: PlatformTcb;
  readonly qeReport: QeReport;
  /** `undefined` for an SGX enclave. */
  readonly tdReport: TdTcbReport | undefined;
}

/** How a TCB stands. */
export interface TcbStanding {
  readonly status: TcbStatus;
  /** When Intel set the levels that were reached; the earliest of them. */
  readonly date: Date;
  /** What is open on those levels: in Intel's order, first of the platform, then of the quoting enclave and the TDX module; none twice. */
  readonly advisoryIds: readonly string[];
}

export interface TcbAppraisal extends TcbStanding {
  /** TD 1.5: as what runs now stands. */
  readonly current: TcbStanding | undefined;
}

type TdxTcbInfo = Extract<TcbInfo, { readonly tee: 'tdx' }>;

/**
 * What Intel says about the TCB of a proven quote. Out of date is an outcome like any other; revoked and unknown are not.
 * Throws TcbError QE_IDENTITY_MISMATCH, TDX_MODULE_MISMATCH, TCB_LEVEL_NOT_FOUND, TCB_REVOKED, TCB_INFO_MISMATCH.
 */
export function appraiseTcb(
  { tcbInfo, qeIdentity }: VerifiedCollateral,
  { tcb, qeReport, tdReport }: PlatformReport,
): TcbAppraisal {
  const qe = verifyQeReport(qeReport, qeIdentity);
  if (tcbInfo.tee === 'sgx' && tdReport === undefined) {
    return { ...standingOf(findPlatformLevel(tcbInfo.levels, tcb, undefined), [qe]), current: undefined };
  }
  if (tcbInfo.tee === 'tdx' && tdReport !== undefined) return appraiseTd(tcbInfo, tcb, qe, tdReport);
  throw new TcbError(
    'TCB_INFO_MISMATCH',
    `expected a TCB info for ${tdReport === undefined ? 'sgx' : 'tdx'}, got one for ${tcbInfo.tee}`,
  );
}

function appraiseTd(
  tcbInfo: TdxTcbInfo,
  tcb: PlatformTcb,
  qe: ComponentLevel,
  report: TdTcbReport,
): TcbAppraisal {
  verifyTdxModule(report, tcbInfo);
  const launch = standingOfTd(tcbInfo, tcb, qe, report.teeTcbSvn);
  if (report.teeTcbSvn2 === undefined) return { ...launch, current: undefined };
  const { teeTcbSvn2 } = report;
  const current = standingOfTd(tcbInfo, tcb, qe, teeTcbSvn2);
  const td = { launch: launch.status, current: current.status, teeTcbSvn2 };
  return { ...launch, status: adviseRelaunch(td, tcb, tcbInfo), current };
}

/** Intel, SGX TDX DCAP Quote Verification Library, TDX evaluate TCB: the same for TEE_TCB_SVN and for TEE_TCB_SVN_2. */
function standingOfTd(
  tcbInfo: TdxTcbInfo,
  tcb: PlatformTcb,
  qe: ComponentLevel,
  teeTcbSvn: Uint8Array,
): TcbStanding {
  const platform = findPlatformLevel(tcbInfo.levels, tcb, teeTcbSvn);
  const tdxModule = findTdxModuleLevel(teeTcbSvn, tcbInfo);
  return standingOf(platform, tdxModule === undefined ? [qe] : [qe, tdxModule]);
}

function standingOf(
  platform: ReturnType<typeof findPlatformLevel>,
  components: readonly ComponentLevel[],
): TcbStanding {
  const levels = [platform, ...components];
  return {
    status: convergeStatuses(
      platform.status,
      components.map(({ status }) => status),
    ),
    date: new Date(Math.min(...levels.map(({ date }) => date.getTime()))),
    advisoryIds: [...new Set(levels.flatMap(({ advisoryIds }) => advisoryIds))],
  };
}
