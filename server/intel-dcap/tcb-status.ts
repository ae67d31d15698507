import { TcbError } from './tcb-error.ts';

/** What a level of a TCB info says about a platform (Intel PCS API v4, TCB info, tcbStatus). */
export const PLATFORM_STATUSES = [
  'UpToDate',
  'SWHardeningNeeded',
  'ConfigurationNeeded',
  'ConfigurationAndSWHardeningNeeded',
  'OutOfDate',
  'OutOfDateConfigurationNeeded',
  'Revoked',
] as const;
export type PlatformStatus = (typeof PLATFORM_STATUSES)[number];

/** What a level of an enclave identity or of a TDX module identity says. */
export const COMPONENT_STATUSES = ['UpToDate', 'OutOfDate', 'Revoked'] as const;
export type ComponentStatus = (typeof COMPONENT_STATUSES)[number];

/** The outcome of all of them, which policies see. `Revoked` is not among them: it is refused. */
export type TcbStatus =
  | Exclude<PlatformStatus, 'Revoked'>
  | 'TDRelaunchAdvised'
  | 'TDRelaunchAdvisedConfigurationNeeded';

const WHEN_OUT_OF_DATE: Readonly<Record<Exclude<PlatformStatus, 'Revoked'>, TcbStatus>> = {
  UpToDate: 'OutOfDate',
  SWHardeningNeeded: 'OutOfDate',
  ConfigurationNeeded: 'OutOfDateConfigurationNeeded',
  ConfigurationAndSWHardeningNeeded: 'OutOfDateConfigurationNeeded',
  OutOfDate: 'OutOfDate',
  OutOfDateConfigurationNeeded: 'OutOfDateConfigurationNeeded',
};
const NEEDS_CONFIGURATION: ReadonlySet<string> = new Set([
  'ConfigurationNeeded',
  'ConfigurationAndSWHardeningNeeded',
  'OutOfDateConfigurationNeeded',
]);

/**
 * One status of a platform and of what runs on it beside its firmware: the quoting enclave, the TDX module. The whole is as good
 * as its worst part (Intel, SGX TDX DCAP Quote Verification Library, convergence of TCB statuses).
 * Throws TcbError TCB_REVOKED when any of them is revoked.
 */
export function convergeStatuses(
  platform: PlatformStatus,
  components: readonly ComponentStatus[],
): TcbStatus {
  if (platform === 'Revoked' || components.includes('Revoked')) {
    throw new TcbError(
      'TCB_REVOKED',
      `expected a TCB that Intel has not revoked, got platform ${platform}, components ${components.join(', ')}`,
    );
  }
  return components.includes('OutOfDate') ? WHEN_OUT_OF_DATE[platform] : platform;
}

export function isOutOfDate(status: PlatformStatus | TcbStatus): boolean {
  return status === 'OutOfDate' || status === 'OutOfDateConfigurationNeeded';
}

export function needsConfiguration(status: PlatformStatus | TcbStatus): boolean {
  return NEEDS_CONFIGURATION.has(status);
}
