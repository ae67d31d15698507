import { beforeAll, describe, expect, it } from 'vitest';
import {
  FAKE_PLATFORM,
  fakeComponentLevel,
  fakePlatformLevel,
  FAKE_MODULE_SIGNER as SIGNER,
} from '../../fakes/fake-intel-documents.ts';
import { type Appraise, appraiseWith, createTestIntel, TD_REPORT, withSvn } from './tcb-setup.ts';

const { components, pceSvn, teeTcbSvn } = FAKE_PLATFORM;
const OLDER = '2023-08-09T00:00:00Z';
const refusal = (code: string): Error => expect.objectContaining({ name: 'TcbError', code }) as Error;

describe('a trust domain that outlived an update', () => {
  let appraise: Appraise;

  beforeAll(async () => {
    appraise = appraiseWith(await createTestIntel());
  });

  const launched = withSvn(0, 5, withSvn(2, 3));
  const mended = { ...TD_REPORT, teeTcbSvn: launched, teeTcbSvn2: Uint8Array.from(teeTcbSvn) };

  /** Two levels of platforms and of modules; `newest` and `platformBelow` are the statuses of platforms. */
  function levels(
    newest = 'UpToDate',
    platformBelow = 'OutOfDate',
    below: readonly number[] = components,
  ): Readonly<Record<string, unknown>> {
    return {
      tcbLevels: [
        fakePlatformLevel(components, teeTcbSvn, { tcbStatus: newest }),
        fakePlatformLevel(below, [...launched], {
          tcbStatus: platformBelow,
          tcbDate: OLDER,
          advisoryIDs: ['INTEL-SA-00001'],
        }),
      ],
      tdxModuleIdentities: [
        {
          id: 'TDX_01',
          ...SIGNER,
          tcbLevels: [fakeComponentLevel(6), fakeComponentLevel(5, { tcbStatus: 'OutOfDate' })],
        },
      ],
    };
  }

  it('is advised to be launched again', async () => {
    await expect(appraise('tdx', { tcbInfo: levels() }, { tdReport: mended })).resolves.toEqual({
      status: 'TDRelaunchAdvised',
      date: new Date(OLDER),
      advisoryIds: ['INTEL-SA-00001'],
      current: { status: 'UpToDate', date: new Date('2024-03-13T00:00:00Z'), advisoryIds: [] },
    });
  });

  it('is advised so too when only the module was out of date, or it has no major version', async () => {
    const tdReport = { ...mended, teeTcbSvn: withSvn(0, 5) };
    await expect(appraise('tdx', { tcbInfo: levels() }, { tdReport })).resolves.toMatchObject({
      status: 'TDRelaunchAdvised',
    });
    const [old, now] = [withSvn(1, 0, launched), withSvn(1, 0)];
    const tcbLevels = [
      fakePlatformLevel(components, [...now]),
      fakePlatformLevel(components, [...old], { tcbStatus: 'OutOfDate' }),
    ];
    const versionless = { ...mended, teeTcbSvn: old, teeTcbSvn2: now };
    await expect(
      appraise('tdx', { tcbInfo: { tcbLevels } }, { tdReport: versionless }),
    ).resolves.toMatchObject({ status: 'TDRelaunchAdvised' });
  });

  it.each([
    ['SWHardeningNeeded', 'OutOfDate', 'TDRelaunchAdvised'],
    ['ConfigurationNeeded', 'OutOfDate', 'TDRelaunchAdvisedConfigurationNeeded'],
    ['ConfigurationAndSWHardeningNeeded', 'OutOfDate', 'TDRelaunchAdvisedConfigurationNeeded'],
    ['UpToDate', 'OutOfDateConfigurationNeeded', 'TDRelaunchAdvisedConfigurationNeeded'],
    ['UpToDate', 'ConfigurationNeeded', 'TDRelaunchAdvisedConfigurationNeeded'],
  ])('of %s now and %s at launch is %s', async (newest, below, status) => {
    await expect(
      appraise('tdx', { tcbInfo: levels(newest, below) }, { tdReport: mended }),
    ).resolves.toMatchObject({ status, current: { status: newest } });
  });

  it('is as at launch when nothing changed', async () => {
    const tdReport = { ...mended, teeTcbSvn2: launched };
    await expect(appraise('tdx', { tcbInfo: levels() }, { tdReport })).resolves.toMatchObject({
      status: 'OutOfDate',
      current: { status: 'OutOfDate' },
    });
  });

  it('is as at launch when that was in order', async () => {
    const tdReport = { ...TD_REPORT, teeTcbSvn2: Uint8Array.from(teeTcbSvn) };
    await expect(
      appraise('tdx', { tcbInfo: levels('ConfigurationNeeded') }, { tdReport }),
    ).resolves.toMatchObject({ status: 'ConfigurationNeeded', current: { status: 'ConfigurationNeeded' } });
  });

  it('is out of date with a quoting enclave out of date', async () => {
    const qeIdentity = { tcbLevels: [fakeComponentLevel(8, { tcbStatus: 'OutOfDate' })] };
    await expect(
      appraise('tdx', { tcbInfo: levels(), qeIdentity }, { tdReport: mended }),
    ).resolves.toMatchObject({ status: 'OutOfDate', current: { status: 'OutOfDate' } });
  });

  it('is out of date on a platform out of date', async () => {
    const below = components.map((svn) => Math.max(0, svn - 1));
    const tcb = { components: below, pceSvn };
    await expect(
      appraise('tdx', { tcbInfo: levels('UpToDate', 'OutOfDate', below) }, { tdReport: mended, tcb }),
    ).resolves.toMatchObject({ status: 'OutOfDate' });
  });

  it.each([
    ['microcode', withSvn(2, 3)],
    ['module', withSvn(0, 5)],
  ])('is out of date while its %s is not the newest', async (_what, teeTcbSvn2) => {
    // The older is good enough for a status in order, but not the newest that there is.
    const tcbInfo = {
      ...levels('UpToDate', 'SWHardeningNeeded'),
      tdxModuleIdentities: [
        { id: 'TDX_01', ...SIGNER, tcbLevels: [fakeComponentLevel(6), fakeComponentLevel(5)] },
        {
          id: 'TDX_03',
          ...SIGNER,
          tcbLevels: [fakeComponentLevel(3, { tcbStatus: 'OutOfDate' })],
        },
      ],
    };
    const tdReport = { ...mended, teeTcbSvn: withSvn(1, 3), teeTcbSvn2 };
    await expect(appraise('tdx', { tcbInfo }, { tdReport })).resolves.toMatchObject({
      status: 'OutOfDate',
    });
    const newest = { ...tdReport, teeTcbSvn2: Uint8Array.from(teeTcbSvn) };
    await expect(appraise('tdx', { tcbInfo }, { tdReport: newest })).resolves.toMatchObject({
      status: 'TDRelaunchAdvised',
    });
  });

  it.each([
    ['that no identity knows', withSvn(1, 2), 'TDX_MODULE_MISMATCH'],
    ['below all levels', withSvn(0, 4), 'TCB_LEVEL_NOT_FOUND'],
  ])('is refused on a module %s', async (_what, teeTcbSvn2, code) => {
    const tdReport = { ...mended, teeTcbSvn2 };
    await expect(appraise('tdx', { tcbInfo: levels() }, { tdReport })).rejects.toThrow(refusal(code));
  });

  it('is refused on a TCB that is revoked', async () => {
    await expect(appraise('tdx', { tcbInfo: levels('Revoked') }, { tdReport: mended })).rejects.toThrow(
      refusal('TCB_REVOKED'),
    );
  });
});
