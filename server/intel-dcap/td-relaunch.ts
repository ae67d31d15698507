import type { TcbInfo } from './tcb-info.ts';
import { findPlatformLevel, moduleMajor, type PlatformTcb } from './tcb-level.ts';
import { isOutOfDate, needsConfiguration, type TcbStatus } from './tcb-status.ts';
import { findTdxModuleIdentity } from './tdx-module.ts';

type TdxTcbInfo = Extract<TcbInfo, { readonly tee: 'tdx' }>;

/** How a trust domain stands that outlived an update of the TDX module below it (TD 1.5, TD preserving). */
interface PreservedTd {
  /** By TEE_TCB_SVN: what it was launched on. */
  readonly launch: TcbStatus;
  /** By TEE_TCB_SVN_2: what it runs on. */
  readonly current: TcbStatus;
  readonly teeTcbSvn2: Uint8Array;
}

/** TEE_TCB_SVN: the module's minor version, and the microcode that is loaded late. */
const MODULE_MINOR = 0;
const LATE_MICROCODE = 2;

/**
 * What was launched on a TCB that is out of date, and now runs on the newest, is as good as new once it is launched again (Intel, SGX
 * TDX DCAP Quote Verification Library, TD relaunch check). Advised only when nothing but TDX was out of date: with the quoting enclave
 * or the platform out of date, `current` would be too. Otherwise the status is that of the launch.
 */
export function adviseRelaunch(td: PreservedTd, tcb: PlatformTcb, tcbInfo: TdxTcbInfo): TcbStatus {
  const platform = findPlatformLevel(tcbInfo.levels, tcb, undefined).status;
  const isMended = isOutOfDate(td.launch) && !isOutOfDate(td.current);
  const isPlatformGood = !isOutOfDate(platform) && platform !== 'Revoked';
  if (!isMended || !isPlatformGood || !isNewest(td.teeTcbSvn2, tcbInfo)) return td.launch;
  return [td.launch, td.current, platform].some(needsConfiguration)
    ? 'TDRelaunchAdvisedConfigurationNeeded'
    : 'TDRelaunchAdvised';
}

function isNewest(teeTcbSvn2: Uint8Array, tcbInfo: TdxTcbInfo): boolean {
  const newest = tcbInfo.levels[0].tdxComponents ?? [];
  const minor =
    moduleMajor(teeTcbSvn2) === 0
      ? newest[MODULE_MINOR]
      : findTdxModuleIdentity(teeTcbSvn2, tcbInfo).levels[0].isvSvn;
  const microcode = newest[LATE_MICROCODE];
  if (minor === undefined || microcode === undefined) return false;
  return (teeTcbSvn2[MODULE_MINOR] ?? 0) >= minor && (teeTcbSvn2[LATE_MICROCODE] ?? 0) >= microcode;
}
