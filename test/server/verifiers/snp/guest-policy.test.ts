import { describe, expect, it } from 'vitest';
import { readGuestPolicy } from '../../../../server/verifiers/snp/guest-policy.ts';
import { readPlatformInfo } from '../../../../server/verifiers/snp/platform-info.ts';

const MUST_BE_ONE = 1n << 17n;

describe('readGuestPolicy', () => {
  it('reads the least ABI version', () => {
    expect(readGuestPolicy(MUST_BE_ONE | 0x1_2a1fn)).toMatchObject({
      abiMajor: 0x2a,
      abiMinor: 0x1f,
      smtAllowed: true,
    });
  });

  it.each([
    [16n, 'smtAllowed'],
    [18n, 'migrationAgentAllowed'],
    [19n, 'debugAllowed'],
    [20n, 'singleSocketRequired'],
    [21n, 'cxlAllowed'],
    [22n, 'memoryAes256XtsRequired'],
    [23n, 'raplDisableRequired'],
    [24n, 'ciphertextHidingRequired'],
    [25n, 'pageSwapDisabled'],
  ])('knows bit %s as %s and nothing else', (bit, name) => {
    const policy = readGuestPolicy(MUST_BE_ONE | (1n << bit));
    expect(Object.entries(policy).filter(([, value]) => value === true)).toEqual([[name, true]]);
  });
});

describe('readPlatformInfo', () => {
  it.each([
    [0n, 'smtEnabled'],
    [1n, 'tsmeEnabled'],
    [2n, 'eccEnabled'],
    [3n, 'raplDisabled'],
    [4n, 'ciphertextHidingEnabled'],
    [5n, 'aliasCheckComplete'],
    [7n, 'tioEnabled'],
  ])('knows bit %s as %s and nothing else', (bit, name) => {
    const info = readPlatformInfo(1n << bit);
    expect(Object.entries(info).filter(([, value]) => value)).toEqual([[name, true]]);
  });
});
