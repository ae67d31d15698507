import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isSameTcb, isTcbAtLeast, readTcb, tcbText, writeTcb } from '../../../../server/verifiers/snp/tcb.ts';

const milan = { fmc: undefined, bootloader: 3, tee: 1, snp: 8, microcode: 115 };
const turin = { fmc: 1, bootloader: 3, tee: 1, snp: 8, microcode: 71 };

describe('TCB_VERSION', () => {
  it('has one layout up to Genoa and another on Turin', () => {
    expect(readTcb(Uint8Array.of(3, 1, 0, 0, 0, 0, 8, 115), 'Milan')).toEqual(milan);
    expect(readTcb(Uint8Array.of(3, 1, 0, 0, 0, 0, 8, 115), 'Genoa')).toEqual(milan);
    expect(readTcb(Uint8Array.of(1, 3, 1, 8, 0, 0, 0, 71), 'Turin')).toEqual(turin);
  });

  it.each([
    ['a reserved byte', 'RESERVED_NOT_ZERO', Uint8Array.of(3, 1, 9, 0, 0, 0, 8, 115)],
    ['seven bytes', 'TRUNCATED', new Uint8Array(7)],
    ['nine bytes', 'TRAILING_BYTES', new Uint8Array(9)],
  ])('refuses %s with %s', (_what, code, bytes) => {
    expect(() => readTcb(bytes, 'Milan')).toThrow(expect.objectContaining({ code }));
  });

  it('is written as it was read', () => {
    const svn = fc.nat({ max: 255 });
    fc.assert(
      fc.property(svn, svn, svn, svn, svn, (fmc, bootloader, tee, snp, microcode) => {
        const tcb = { fmc, bootloader, tee, snp, microcode };
        expect(readTcb(writeTcb(tcb, 'Turin'), 'Turin')).toEqual(tcb);
        expect(readTcb(writeTcb(tcb, 'Genoa'), 'Genoa')).toEqual({ ...tcb, fmc: undefined });
      }),
    );
  });

  it.each(['fmc', 'bootloader', 'tee', 'snp', 'microcode'] as const)('compares %s by itself', (component) => {
    const higher = { ...turin, microcode: 99, [component]: turin[component] + 1 };
    const lower = { ...higher, [component]: turin[component] - 1 };
    expect(isTcbAtLeast(higher, turin)).toBe(true);
    expect(isTcbAtLeast(turin, turin)).toBe(true);
    expect(isTcbAtLeast(lower, turin)).toBe(false);
    expect(isSameTcb({ ...turin, [component]: 200 }, turin)).toBe(false);
  });

  it('is shown by name', () => {
    expect(tcbText(milan)).toBe('bootloader 3, tee 1, snp 8, microcode 115');
    expect(tcbText(turin)).toContain('fmc 1');
  });
});
