import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CodedError } from '../../../server/errors/coded-error.ts';
import { readTcbInfo } from '../../../server/intel-dcap/tcb-info.ts';
import {
  FAKE_PLATFORM,
  fakeComponentLevel,
  fakePlatformLevel,
  fakeSgxTcbInfo,
  fakeTcbInfoOfVersion2,
  fakeTdxTcbInfo,
} from '../../fakes/fake-intel-documents.ts';

const { components, teeTcbSvn } = FAKE_PLATFORM;
const refusal = (code: string): Error => expect.objectContaining({ name: 'TcbError', code }) as Error;
const tdxModuleOf = (overrides: object): object => ({
  mrsigner: '00'.repeat(48),
  attributes: '00'.repeat(8),
  attributesMask: 'FF'.repeat(8),
  ...overrides,
});

describe('readTcbInfo', () => {
  it('reads one for SGX', () => {
    expect(readTcbInfo(fakeSgxTcbInfo({ fmspc: '50806f000000' }))).toMatchObject({
      tee: 'sgx',
      version: 3,
      fmspc: '50806F000000',
      pceId: '0000',
      evaluationNumber: 17,
      issueDate: new Date('2026-05-15T00:00:00Z'),
      nextUpdate: new Date('2026-06-14T00:00:00Z'),
      levels: [{ components, pceSvn: 13, tdxComponents: undefined, status: 'UpToDate', advisoryIds: [] }],
    });
  });

  it('reads one of version 2, whose components are flat', () => {
    expect(readTcbInfo(fakeTcbInfoOfVersion2())).toMatchObject({
      tee: 'sgx',
      version: 2,
      levels: [{ components, pceSvn: 13, tdxComponents: undefined }],
    });
  });

  it('reads one for TDX', () => {
    const advisoryIDs = ['INTEL-SA-00960', 'INTEL-SA-00837'];
    const info = readTcbInfo(
      fakeTdxTcbInfo({ tcbLevels: [fakePlatformLevel(components, teeTcbSvn, { advisoryIDs })] }),
    );
    expect(info).toMatchObject({
      tee: 'tdx',
      tdxModule: { mrSigner: Buffer.alloc(48), attributes: Buffer.alloc(8) },
      tdxModuleIdentities: [
        { id: 'TDX_03', levels: [{ isvSvn: 3 }] },
        { id: 'TDX_01', levels: [{ isvSvn: 6, status: 'UpToDate' }] },
      ],
      levels: [{ components, tdxComponents: teeTcbSvn, advisoryIds: advisoryIDs }],
    });
  });

  it('passes over members that Intel may add, and does without module identities', () => {
    expect(readTcbInfo(fakeTdxTcbInfo({ novelty: 1, tdxModuleIdentities: undefined }))).toMatchObject({
      tdxModuleIdentities: [],
    });
  });

  it.each([
    ['version 1', fakeTcbInfoOfVersion2({ version: 1 })],
    ['version 4', fakeSgxTcbInfo({ version: 4 })],
    ['version 2 for TDX', fakeTdxTcbInfo({ version: 2 })],
    ['version 3 for nothing', fakeSgxTcbInfo({ id: undefined })],
    ['version 3 for another TEE', fakeSgxTcbInfo({ id: 'SEV' })],
  ])('refuses %s', (_what, value) => {
    expect(() => readTcbInfo(value)).toThrow(refusal('TCB_INFO_VERSION_UNSUPPORTED'));
  });

  it.each<[string, object]>([
    ['no levels', fakeSgxTcbInfo({ tcbLevels: [] })],
    ['a status that Intel does not have', withLevel({ tcbStatus: 'Fine' })],
    ['fifteen components', withLevel({}, components.slice(1))],
    ['seventeen components', withLevel({}, [...components, 0])],
    [
      'a component of 256',
      withLevel(
        {},
        components.map(() => 256),
      ),
    ],
    [
      'a component below zero',
      withLevel(
        {},
        components.map(() => -1),
      ),
    ],
    [
      'a component that is not whole',
      withLevel(
        {},
        components.map(() => 0.5),
      ),
    ],
    ['a level without a date', withLevel({ tcbDate: undefined })],
    ['a date without a zone', withLevel({ tcbDate: '2024-03-13T00:00:00' })],
    ['advisories that are not names', withLevel({ advisoryIDs: ['a b'] })],
    ['another composition of the TCB', fakeSgxTcbInfo({ tcbType: 1 })],
    ['a short FMSPC', fakeSgxTcbInfo({ fmspc: '50806F0000' })],
    ['an FMSPC that is not hex', fakeSgxTcbInfo({ fmspc: '50806F00000G' })],
    ['no PCEID', fakeSgxTcbInfo({ pceId: undefined })],
    ['no evaluation number', fakeSgxTcbInfo({ tcbEvaluationDataNumber: undefined })],
    ['no issue date', fakeSgxTcbInfo({ issueDate: undefined })],
    ['no next update', fakeSgxTcbInfo({ nextUpdate: undefined })],
    ['TDX without a module', fakeTdxTcbInfo({ tdxModule: undefined })],
    ['TDX with a short signer', fakeTdxTcbInfo({ tdxModule: tdxModuleOf({ mrsigner: '00' }) })],
    [
      'TDX without components of TDX',
      fakeTdxTcbInfo({ tcbLevels: [fakePlatformLevel(components, undefined)] }),
    ],
    ['a module without levels', withModule({ tcbLevels: [] })],
    [
      'a module with a status of platforms',
      withModule({ tcbLevels: [fakeComponentLevel(1, { tcbStatus: 'ConfigurationNeeded' })] }),
    ],
    ['version 2 with a component missing', withFlat({ sgxtcbcomp16svn: undefined })],
    ['version 2 without PCESVN', withFlat({ pcesvn: undefined })],
    ['version 2 without a TCB', fakeTcbInfoOfVersion2({ tcbLevels: [{ ...flatLevel(), tcb: null }] })],
  ])('refuses %s', (_what, value) => {
    expect(() => readTcbInfo(value)).toThrow(refusal('COLLATERAL_MALFORMED'));
  });

  it('never throws a foreign error', () => {
    const value = fc.oneof(
      fc.jsonValue(),
      fc
        .tuple(
          fc.constantFrom<(overrides: Record<string, unknown>) => object>(
            fakeSgxTcbInfo,
            fakeTcbInfoOfVersion2,
            fakeTdxTcbInfo,
          ),
          fc.constantFrom(...Object.keys(fakeTdxTcbInfo())),
          fc.jsonValue(),
        )
        .map(([fake, member, other]) => fake({ [member]: other })),
    );
    fc.assert(
      fc.property(value, (json) => {
        try {
          readTcbInfo(json);
        } catch (error) {
          expect(error).toBeInstanceOf(CodedError);
        }
      }),
    );
  });
});

function withLevel(overrides: Record<string, unknown>, sgx: readonly number[] = components): object {
  return fakeSgxTcbInfo({ tcbLevels: [fakePlatformLevel(sgx, undefined, overrides)] });
}

function withModule(overrides: Record<string, unknown>): object {
  return fakeTdxTcbInfo({ tdxModuleIdentities: [tdxModuleOf({ id: 'TDX_01', ...overrides })] });
}

function flatLevel(): { readonly tcb: object } {
  const [level] = fakeTcbInfoOfVersion2()['tcbLevels'] as readonly { readonly tcb: object }[];
  return level!;
}

function withFlat(overrides: Record<string, unknown>): object {
  const level = flatLevel();
  return fakeTcbInfoOfVersion2({ tcbLevels: [{ ...level, tcb: { ...level.tcb, ...overrides } }] });
}
