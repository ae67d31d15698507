import { beforeAll, describe, expect, it } from 'vitest';
import type { PlatformReport } from '../../../server/intel-dcap/tcb-appraisal.ts';
import {
  FAKE_PLATFORM,
  fakeComponentLevel,
  fakePlatformLevel,
  FAKE_MODULE_SIGNER as SIGNER,
} from '../../fakes/fake-intel-documents.ts';
import {
  type Appraise,
  appraiseWith,
  createTestIntel,
  type FakeCollateralOptions,
  QE_REPORT,
  TD_REPORT,
  withSvn,
} from './tcb-setup.ts';

const { components, pceSvn, teeTcbSvn } = FAKE_PLATFORM;
const OLDER = '2023-08-09T00:00:00Z';
const OLDEST = '2021-11-10T00:00:00Z';
const refusal = (code: string): Error => expect.objectContaining({ name: 'TcbError', code }) as Error;

/** What a test chooses about Intel's judgement. Each has a level that is up to date, and one below. */
interface Judgement {
  /** The status of the level that the platform reaches. */
  readonly platform?: string;
  /** The status of the level that the module of the launch reaches. */
  readonly tdxModule?: string;
  readonly qe?: string;
}

describe('appraiseTcb', () => {
  let appraise: Appraise;

  beforeAll(async () => {
    appraise = appraiseWith(await createTestIntel());
  });

  function judged({
    platform = 'UpToDate',
    tdxModule = 'UpToDate',
    qe = 'UpToDate',
  }: Judgement): FakeCollateralOptions {
    return {
      tcbInfo: {
        tcbLevels: [
          fakePlatformLevel(components, teeTcbSvn, {
            tcbStatus: platform,
            advisoryIDs: ['INTEL-SA-00003', 'INTEL-SA-00001'],
          }),
        ],
        tdxModuleIdentities: [
          {
            id: 'tdx_01',
            ...SIGNER,
            tcbLevels: [
              fakeComponentLevel(6, {
                tcbStatus: tdxModule,
                tcbDate: OLDER,
                advisoryIDs: ['INTEL-SA-00002', 'INTEL-SA-00003'],
              }),
            ],
          },
        ],
      },
      qeIdentity: {
        tcbLevels: [
          fakeComponentLevel(8, { tcbStatus: qe, tcbDate: OLDEST, advisoryIDs: ['INTEL-SA-00004'] }),
        ],
      },
    };
  }

  it.each([
    ['UpToDate', 'OutOfDate'],
    ['SWHardeningNeeded', 'OutOfDate'],
    ['ConfigurationNeeded', 'OutOfDateConfigurationNeeded'],
    ['ConfigurationAndSWHardeningNeeded', 'OutOfDateConfigurationNeeded'],
    ['OutOfDate', 'OutOfDate'],
    ['OutOfDateConfigurationNeeded', 'OutOfDateConfigurationNeeded'],
  ])('says that a platform is %s, with the module or the QE out of date %s', async (platform, worse) => {
    await expect(appraise('tdx', judged({ platform }))).resolves.toMatchObject({ status: platform });
    for (const part of ['tdxModule', 'qe']) {
      await expect(appraise('tdx', judged({ platform, [part]: 'OutOfDate' }))).resolves.toMatchObject({
        status: worse,
      });
    }
  });

  it.each(['platform', 'tdxModule', 'qe'] as const)('refuses when %s is revoked', async (part) => {
    await expect(appraise('tdx', judged({ [part]: 'Revoked' }))).rejects.toThrow(refusal('TCB_REVOKED'));
  });

  it('says since when, and what is open: of the platform, the QE and the module, none twice', async () => {
    await expect(appraise('tdx', judged({}))).resolves.toEqual({
      status: 'UpToDate',
      date: new Date(OLDEST),
      advisoryIds: ['INTEL-SA-00003', 'INTEL-SA-00001', 'INTEL-SA-00004', 'INTEL-SA-00002'],
      current: undefined,
    });
  });

  it('judges an enclave by platform and QE alone', async () => {
    const tcbLevels = [fakePlatformLevel(components, undefined, { tcbStatus: 'SWHardeningNeeded' })];
    const tcbInfo = { tcbLevels };
    await expect(appraise('sgx', { tcbInfo })).resolves.toMatchObject({
      status: 'SWHardeningNeeded',
      current: undefined,
    });
    const qeIdentity = { tcbLevels: [fakeComponentLevel(8, { tcbStatus: 'OutOfDate' })] };
    await expect(appraise('sgx', { tcbInfo, qeIdentity })).resolves.toMatchObject({ status: 'OutOfDate' });
  });

  it('takes the level below when the best is not reached', async () => {
    const best = components.map((svn) => svn + 1);
    const tcbLevels = [
      fakePlatformLevel(best, teeTcbSvn),
      fakePlatformLevel(components, teeTcbSvn, { tcbStatus: 'OutOfDate', tcbDate: OLDER }),
    ];
    await expect(appraise('tdx', { tcbInfo: { tcbLevels } })).resolves.toMatchObject({
      status: 'OutOfDate',
      date: new Date(OLDER),
    });
  });

  it.each<[string, Partial<PlatformReport>]>([
    ['platform', { tcb: { components, pceSvn: pceSvn - 1 } }],
    ['QE', { qeReport: { ...QE_REPORT, isvSvn: 7 } }],
    ['module', { tdReport: { ...TD_REPORT, teeTcbSvn: withSvn(0, 5) } }],
  ])('refuses a %s below all levels', async (_what, report) => {
    await expect(appraise('tdx', {}, report)).rejects.toThrow(refusal('TCB_LEVEL_NOT_FOUND'));
  });

  it('refuses another quoting enclave', async () => {
    const qeReport = { ...QE_REPORT, isvProdId: 1 };
    await expect(appraise('tdx', {}, { qeReport })).rejects.toThrow(refusal('QE_IDENTITY_MISMATCH'));
  });

  it('refuses a report of the other TEE', async () => {
    await expect(appraise('tdx', {}, { tdReport: undefined })).rejects.toThrow(refusal('TCB_INFO_MISMATCH'));
    await expect(appraise('sgx', {}, { tdReport: TD_REPORT })).rejects.toThrow(refusal('TCB_INFO_MISMATCH'));
  });

  it.each<[string, object]>([
    ['of another signer', { mrSignerSeam: Buffer.alloc(48, 1) }],
    ['with an attribute', { seamAttributes: Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0) }],
    ['of a version without identity', { teeTcbSvn: withSvn(1, 2) }],
    ['without a version, of another signer', { teeTcbSvn: withSvn(1, 0), mrSignerSeam: Buffer.alloc(48, 1) }],
  ])('refuses a module %s', async (_what, overrides) => {
    const tdReport = { ...TD_REPORT, ...overrides };
    await expect(appraise('tdx', {}, { tdReport })).rejects.toThrow(refusal('TDX_MODULE_MISMATCH'));
  });

  it('refuses a module whose identity allows an attribute, though the report has it', async () => {
    const attributes = '0100000000000000';
    const identity = { id: 'TDX_01', ...SIGNER, attributes, tcbLevels: [fakeComponentLevel(6)] };
    const seamAttributes = Buffer.from(attributes, 'hex');
    const tdReport = { ...TD_REPORT, seamAttributes };
    const documents = { tcbInfo: { tdxModuleIdentities: [identity] } };
    await expect(appraise('tdx', documents, { tdReport })).rejects.toThrow(refusal('TDX_MODULE_MISMATCH'));
    await expect(appraise('tdx', documents)).rejects.toThrow(refusal('TDX_MODULE_MISMATCH'));
  });

  it('takes a module without a major version by the levels of the platform', async () => {
    const svn = withSvn(1, 0);
    const tcbLevels = [fakePlatformLevel(components, [...svn])];
    const tdReport = { ...TD_REPORT, teeTcbSvn: svn };
    await expect(
      appraise('tdx', { tcbInfo: { tcbLevels, tdxModuleIdentities: undefined } }, { tdReport }),
    ).resolves.toMatchObject({ status: 'UpToDate' });
  });
});
