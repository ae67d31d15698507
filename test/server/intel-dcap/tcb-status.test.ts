import { describe, expect, it } from 'vitest';
import {
  COMPONENT_STATUSES,
  convergeStatuses,
  isOutOfDate,
  needsConfiguration,
  PLATFORM_STATUSES,
} from '../../../server/intel-dcap/tcb-status.ts';

const GOOD_PLATFORMS = PLATFORM_STATUSES.filter((status) => status !== 'Revoked');

describe('convergeStatuses', () => {
  it.each(GOOD_PLATFORMS)('leaves %s as it is when all else is up to date', (status) => {
    expect(convergeStatuses(status, [])).toBe(status);
    expect(convergeStatuses(status, ['UpToDate', 'UpToDate'])).toBe(status);
  });

  it.each([
    ['UpToDate', 'OutOfDate'],
    ['SWHardeningNeeded', 'OutOfDate'],
    ['ConfigurationNeeded', 'OutOfDateConfigurationNeeded'],
    ['ConfigurationAndSWHardeningNeeded', 'OutOfDateConfigurationNeeded'],
    ['OutOfDate', 'OutOfDate'],
    ['OutOfDateConfigurationNeeded', 'OutOfDateConfigurationNeeded'],
  ] as const)('makes %s with a component out of date %s', (platform, expected) => {
    expect(convergeStatuses(platform, ['OutOfDate'])).toBe(expected);
    expect(convergeStatuses(platform, ['UpToDate', 'OutOfDate'])).toBe(expected);
    expect(convergeStatuses(platform, ['OutOfDate', 'UpToDate'])).toBe(expected);
  });

  it.each(COMPONENT_STATUSES)('refuses a revoked platform with components %s', (component) => {
    expect(() => convergeStatuses('Revoked', [component])).toThrow(
      expect.objectContaining({ name: 'TcbError', code: 'TCB_REVOKED' }),
    );
  });

  it.each(PLATFORM_STATUSES)('refuses a revoked component of a platform that is %s', (platform) => {
    for (const components of [['Revoked'], ['UpToDate', 'Revoked'], ['Revoked', 'OutOfDate']] as const) {
      expect(() => convergeStatuses(platform, components)).toThrow(
        expect.objectContaining({ code: 'TCB_REVOKED' }),
      );
    }
  });

  it('knows what is out of date and what needs configuration', () => {
    expect(PLATFORM_STATUSES.filter(isOutOfDate)).toEqual(['OutOfDate', 'OutOfDateConfigurationNeeded']);
    expect(PLATFORM_STATUSES.filter(needsConfiguration)).toEqual([
      'ConfigurationNeeded',
      'ConfigurationAndSWHardeningNeeded',
      'OutOfDateConfigurationNeeded',
    ]);
  });
});
