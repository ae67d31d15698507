import { createHash } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Claims } from '../../../server/claims/claims.ts';
import { createCollateralVerifier } from '../../../server/intel-dcap/collateral.ts';
import { collateralClaims, pckClaims } from '../../../server/intel-dcap/collateral-claims.ts';
import type { FreshnessOptions } from '../../../server/intel-dcap/collateral-dates.ts';
import type { DcapCollateral } from '../../../server/intel-dcap/dcap-collateral.ts';
import { appraiseTcb, type TdTcbReport } from '../../../server/intel-dcap/tcb-appraisal.ts';
import { FAKE_PLATFORM, fakePlatformLevel } from '../../fakes/fake-intel-documents.ts';
import { createTestIntel, fakeCollateral, NOW, QE_REPORT, TD_REPORT, type TestIntel } from './tcb-setup.ts';

describe('collateralClaims', () => {
  let intel: TestIntel;
  let genuine: DcapCollateral;

  beforeAll(async () => {
    intel = await createTestIntel();
    genuine = await fakeCollateral(intel, 'tdx', {
      pckList: { number: 5 },
      rootList: { number: 3 },
      qeIdentity: { tcbEvaluationDataNumber: 16 },
    });
  });

  function claims(
    raw: DcapCollateral,
    options: Partial<FreshnessOptions> = {},
    tdReport: TdTcbReport = TD_REPORT,
    at = NOW,
  ): Claims {
    const verifier = createCollateralVerifier({ revocation: 'required', maxStaleSeconds: 0, ...options });
    const collateral = verifier(raw, { tee: 'tdx', pck: intel.pck }, at);
    const report = { tcb: FAKE_PLATFORM, qeReport: QE_REPORT, tdReport };
    return collateralClaims(collateral, appraiseTcb(collateral, report), at);
  }

  it('says everything that policies know', () => {
    const { x = '', y = '' } = intel.root.certificate.publicKey.export({ format: 'jwk' });
    const point = [Buffer.of(4), Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')];
    expect(claims(genuine)).toEqual({
      earliest_issue_date: '2026-01-01T00:00:00Z',
      latest_issue_date: '2026-05-20T00:00:00Z',
      earliest_expiration_date: '2026-06-14T00:00:00Z',
      collateral_expiration_status: '0',
      pck_crl_num: 5,
      root_ca_crl_num: 3,
      tcb_eval_num: 16,
      root_key_id: createHash('sha384').update(Buffer.concat(point)).digest('hex'),
      revocation_status: 'good',
      tcb_date: '2024-03-13T00:00:00Z',
      tcb_status: 'UpToDate',
      advisory_ids: [],
    });
  });

  it('says when something is past its end', () => {
    const at = new Date('2026-06-14T00:00:01Z');
    expect(claims(genuine, { maxStaleSeconds: 1 }, TD_REPORT, at)).toMatchObject({
      collateral_expiration_status: '1',
      revocation_status: 'good',
    });
    expect(claims(genuine, {}, TD_REPORT, new Date('2026-06-14T00:00:00Z'))).toMatchObject({
      collateral_expiration_status: '1',
    });
    expect(claims(genuine, {}, TD_REPORT, new Date('2026-06-13T23:59:59Z'))).toMatchObject({
      collateral_expiration_status: '0',
    });
  });

  it('does not number lists that are not there', () => {
    const raw = { ...genuine, pckCrl: undefined, rootCrl: undefined };
    const said = claims(raw, { revocation: 'when-available' });
    expect(said).toMatchObject({ revocation_status: 'not-checked' });
    expect(said).not.toHaveProperty('pck_crl_num');
    expect(said).not.toHaveProperty('root_ca_crl_num');
  });

  it('says how what runs now stands, of a TD 1.5', async () => {
    const advisoryIDs = ['INTEL-SA-00960', 'INTEL-SA-00837'];
    const { components, teeTcbSvn } = FAKE_PLATFORM;
    const below = teeTcbSvn.map((svn, index) => (index === 2 ? svn - 1 : svn));
    const old = fakePlatformLevel(components, below, {
      tcbStatus: 'OutOfDate',
      tcbDate: '2023-08-09T00:00:00Z',
      advisoryIDs,
    });
    const tcbLevels = [fakePlatformLevel(components, teeTcbSvn), old];
    const raw = await fakeCollateral(intel, 'tdx', { tcbInfo: { tcbLevels } });
    const report = { ...TD_REPORT, teeTcbSvn: Uint8Array.from(below), teeTcbSvn2: TD_REPORT.teeTcbSvn };
    expect(claims(raw, {}, report)).toMatchObject({
      tcb_date: '2023-08-09T00:00:00Z',
      tcb_status: 'TDRelaunchAdvised',
      advisory_ids: advisoryIDs,
      tcb_date_current: '2024-03-13T00:00:00Z',
      tcb_status_current: 'UpToDate',
      advisory_ids_current: [],
    });
  });
});

describe('pckClaims', () => {
  const ppid = Buffer.alloc(16, 0xab);

  it('says what a platform is', () => {
    const configuration = { dynamicPlatform: true, cachedKeys: false, smtEnabled: true };
    expect(pckClaims({ ppid, sgxType: 'Scalable', configuration })).toEqual({
      platform_provider_id: 'ab'.repeat(16),
      sgx_type: 'Scalable',
      is_dynamic_platform: true,
      is_cached_keys: false,
      is_smt_enabled: true,
    });
  });

  it('says less of a single processor', () => {
    expect(pckClaims({ ppid, sgxType: 'Standard', configuration: undefined })).toEqual({
      platform_provider_id: 'ab'.repeat(16),
      sgx_type: 'Standard',
    });
  });
});
