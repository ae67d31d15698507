import { TcbError } from './tcb-error.ts';
import type { ComponentLevel, Levels, PlatformLevel } from './tcb-info.ts';

/** The security versions that Intel put into a PCK certificate. */
export interface PlatformTcb {
  /** Sixteen. */
  readonly components: readonly number[];
  readonly pceSvn: number;
}

/** TEE_TCB_SVN: the first two bytes are the TDX module's own version, minor then major. */
const MODULE_MAJOR = 1;
const FIRST_BESIDE_MODULE = 2;

/**
 * The first level, best first, that a platform reaches in every component and in PCESVN, and for TDX in every component of TEE_TCB_SVN
 * (Intel PCS API v4, "Get TCB Info", TCB level comparison). A module with a major version is judged by its identity instead of the
 * first two. Throws TcbError TCB_LEVEL_NOT_FOUND.
 */
export function findPlatformLevel(
  levels: Levels<PlatformLevel>,
  tcb: PlatformTcb,
  teeTcbSvn: Uint8Array | undefined,
): PlatformLevel {
  const level = levels.find((candidate) => reaches(candidate, tcb, teeTcbSvn));
  if (level !== undefined) return level;
  throw notFound(
    levels.length,
    `the platform (components ${tcb.components.join(' ')}, PCESVN ${tcb.pceSvn}${tdxText(teeTcbSvn)})`,
  );
}

/** The first level that a version reaches. Throws TcbError TCB_LEVEL_NOT_FOUND; `what` is for the message. */
export function findComponentLevel(
  levels: Levels<ComponentLevel>,
  isvSvn: number,
  what: string,
): ComponentLevel {
  const level = levels.find((candidate) => candidate.isvSvn <= isvSvn);
  if (level !== undefined) return level;
  throw notFound(levels.length, `${what} (version ${isvSvn})`);
}

/** The major version of the TDX module; 0 is that of modules before there were any. */
export function moduleMajor(teeTcbSvn: Uint8Array): number {
  return teeTcbSvn[MODULE_MAJOR] ?? 0;
}

function reaches(level: PlatformLevel, tcb: PlatformTcb, teeTcbSvn: Uint8Array | undefined): boolean {
  if (!isAtLeast(tcb.components, level.components, 0) || tcb.pceSvn < level.pceSvn) return false;
  if (teeTcbSvn === undefined) return true;
  const start = moduleMajor(teeTcbSvn) > 0 ? FIRST_BESIDE_MODULE : 0;
  return level.tdxComponents !== undefined && isAtLeast(teeTcbSvn, level.tdxComponents, start);
}

/** What is missing is less than anything. */
function isAtLeast(actual: ArrayLike<number>, minimum: readonly number[], start: number): boolean {
  return minimum.every((svn, index) => index < start || (actual[index] ?? -1) >= svn);
}

function notFound(count: number, what: string): TcbError {
  return new TcbError(
    'TCB_LEVEL_NOT_FOUND',
    `expected ${what} to reach one of ${count} levels that Intel lists, it reaches none`,
  );
}

function tdxText(teeTcbSvn: Uint8Array | undefined): string {
  return teeTcbSvn === undefined ? '' : `, TDX ${teeTcbSvn.join(' ')}`;
}
