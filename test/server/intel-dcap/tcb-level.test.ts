import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ComponentLevel, PlatformLevel } from '../../../server/intel-dcap/tcb-info.ts';
import { findComponentLevel, findPlatformLevel } from '../../../server/intel-dcap/tcb-level.ts';
import { FAKE_PLATFORM } from '../../fakes/fake-intel-documents.ts';

const DATE = new Date('2024-03-13T00:00:00Z');
const { components, pceSvn, teeTcbSvn } = FAKE_PLATFORM;
const TCB = { components, pceSvn };
const SVN = Uint8Array.from(teeTcbSvn);

function level(overrides: Partial<PlatformLevel> = {}): PlatformLevel {
  return {
    components,
    pceSvn,
    tdxComponents: teeTcbSvn,
    status: 'UpToDate',
    date: DATE,
    advisoryIds: [],
    ...overrides,
  };
}

function raised(svns: readonly number[], index: number): readonly number[] {
  return svns.map((svn, at) => (at === index ? svn + 1 : svn));
}

const indices = (from: number): readonly number[] =>
  Array.from({ length: 16 - from }, (_, index) => index + from);
const notFound = expect.objectContaining({ name: 'TcbError', code: 'TCB_LEVEL_NOT_FOUND' }) as Error;

describe('findPlatformLevel', () => {
  it('takes the first level that is reached, in the order of the list', () => {
    const [high, low] = [level({ pceSvn: pceSvn + 1 }), level({ status: 'OutOfDate' })];
    expect(findPlatformLevel([high, low, level()], TCB, SVN)).toBe(low);
    expect(findPlatformLevel([low, high], TCB, undefined)).toBe(low);
  });

  it.each(indices(0))('needs component %i of the platform', (index) => {
    const wanted = level({ components: raised(components, index) });
    expect(() => findPlatformLevel([wanted], TCB, undefined)).toThrow(notFound);
    expect(() => findPlatformLevel([wanted], TCB, SVN)).toThrow(notFound);
  });

  it('needs PCESVN', () => {
    expect(() => findPlatformLevel([level({ pceSvn: pceSvn + 1 })], TCB, undefined)).toThrow(notFound);
  });

  it.each(indices(2))('needs component %i of TDX', (index) => {
    const wanted = level({ tdxComponents: raised(teeTcbSvn, index) });
    expect(() => findPlatformLevel([wanted], TCB, SVN)).toThrow(notFound);
    expect(findPlatformLevel([wanted], TCB, undefined)).toBe(wanted);
  });

  it.each([0, 1])('leaves component %i of TDX to the identity of a module with a major version', (index) => {
    const wanted = level({ tdxComponents: raised(teeTcbSvn, index) });
    expect(findPlatformLevel([wanted], TCB, SVN)).toBe(wanted);
  });

  it.each([0, 1])('needs component %i of TDX of a module without one', (index) => {
    const old = Uint8Array.from(teeTcbSvn.map((svn, at) => (at === 1 ? 0 : svn)));
    const reached = level({ tdxComponents: [...old] });
    expect(findPlatformLevel([reached], TCB, old)).toBe(reached);
    const wanted = level({ tdxComponents: raised([...old], index) });
    expect(() => findPlatformLevel([wanted], TCB, old)).toThrow(notFound);
  });

  it('finds nothing for a trust domain in levels of SGX, or with versions missing', () => {
    expect(() => findPlatformLevel([level({ tdxComponents: undefined })], TCB, SVN)).toThrow(notFound);
    expect(() => findPlatformLevel([level()], { ...TCB, components: [] }, SVN)).toThrow(notFound);
    expect(() => findPlatformLevel([level()], TCB, SVN.subarray(0, 3))).toThrow(notFound);
  });

  it('never gives a level that is not reached, nor passes one that is', () => {
    const svns = fc.array(fc.nat(2), { minLength: 16, maxLength: 16 });
    const levels = fc.array(fc.record({ components: svns, tdxComponents: svns, pceSvn: fc.nat(2) }), {
      minLength: 1,
      maxLength: 6,
    });
    fc.assert(
      fc.property(levels, svns, svns, fc.nat(2), (wanted, sgx, tdx, pce) => {
        const [first, ...others] = wanted.map((each) => level(each));
        const start = tdx[1]! > 0 ? 2 : 0;
        const expected = [first!, ...others].find(
          (each) =>
            each.pceSvn <= pce &&
            each.components.every((svn, index) => sgx[index]! >= svn) &&
            each.tdxComponents!.slice(start).every((svn, index) => tdx[index + start]! >= svn),
        );
        const find = (): PlatformLevel =>
          findPlatformLevel([first!, ...others], { components: sgx, pceSvn: pce }, Uint8Array.from(tdx));
        if (expected === undefined) expect(find).toThrow(notFound);
        else expect(find()).toBe(expected);
      }),
    );
  });
});

describe('findComponentLevel', () => {
  const of = (isvSvn: number): ComponentLevel => ({
    isvSvn,
    status: 'UpToDate',
    date: DATE,
    advisoryIds: [],
  });
  const levels = [of(8), of(6), of(2)] as const;

  it.each([
    [9, 8],
    [8, 8],
    [7, 6],
    [2, 2],
  ])('version %i reaches level %i', (isvSvn, expected) => {
    expect(findComponentLevel(levels, isvSvn, 'it').isvSvn).toBe(expected);
  });

  it('refuses a version below all levels', () => {
    expect(() => findComponentLevel(levels, 1, 'it')).toThrow(notFound);
  });
});
