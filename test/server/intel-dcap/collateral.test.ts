import { beforeAll, describe, expect, it } from 'vitest';
import {
  type CollateralSubject,
  createCollateralVerifier,
  type PlatformPck,
  type VerifiedCollateral,
} from '../../../server/intel-dcap/collateral.ts';
import type { FreshnessOptions } from '../../../server/intel-dcap/collateral-dates.ts';
import type { DcapCollateral } from '../../../server/intel-dcap/dcap-collateral.ts';
import { FAKE_PLATFORM, fakeTcbInfoOfVersion2, signFakeDocument } from '../../fakes/fake-intel-documents.ts';
import {
  createTestIntel,
  type FakeListOptions,
  fakeCollateral,
  fakeList,
  keyOf,
  LEAF_SERIAL,
  LIST_FROM,
  LIST_UNTIL,
  NOW,
  type TestIntel,
} from './tcb-setup.ts';

type Overrides = Parameters<typeof fakeCollateral>[2];
const day = (count: number): Date => new Date(NOW.getTime() + count * 86_400_000);
const refusal = (code: string): Error => expect.objectContaining({ name: 'TcbError', code }) as Error;
const unchecked = (code: string): Error =>
  expect.objectContaining({ name: 'CouldNotCheckError', code }) as Error;
const OTHER = { fmspc: '00906EA10000', pceId: '0001' };

describe('createCollateralVerifier', () => {
  let intel: TestIntel;
  let genuine: Readonly<Record<'sgx' | 'tdx', DcapCollateral>>;

  beforeAll(async () => {
    intel = await createTestIntel();
    genuine = { sgx: await fakeCollateral(intel, 'sgx'), tdx: await fakeCollateral(intel, 'tdx') };
  });

  function verify(
    raw: DcapCollateral,
    options: Partial<FreshnessOptions> = {},
    at = NOW,
    subject: Partial<CollateralSubject> = {},
  ): VerifiedCollateral {
    const verifier = createCollateralVerifier({ revocation: 'required', maxStaleSeconds: 0, ...options });
    return verifier(raw, { tee: 'tdx', pck: intel.pck, ...subject }, at);
  }

  it.each(['sgx', 'tdx'] as const)('verifies what Intel signed for %s', (tee) => {
    const collateral = verify(genuine[tee], {}, NOW, { tee });
    expect(collateral).toMatchObject({
      tcbInfo: { tee },
      qeIdentity: { id: tee === 'sgx' ? 'QE' : 'TD_QE' },
      revocation: 'good',
      dates: {
        earliestIssue: new Date('2026-01-01T00:00:00Z'),
        latestIssue: LIST_FROM,
        earliestExpiration: new Date('2026-06-14T00:00:00Z'),
      },
    });
  });

  it('verifies a TCB info of version 2', () => {
    const body = signFakeDocument('tcbInfo', fakeTcbInfoOfVersion2(), keyOf(intel.signer));
    const raw = { ...genuine.sgx, tcbInfo: { ...genuine.sgx.tcbInfo, body } };
    expect(verify(raw, {}, NOW, { tee: 'sgx' }).tcbInfo.version).toBe(2);
  });

  it('verifies once and then remembers, but compares each time', () => {
    const verifier = createCollateralVerifier({ revocation: 'required', maxStaleSeconds: 0 });
    const subject = { tee: 'tdx', pck: intel.pck } as const;
    const first = verifier(genuine.tdx, subject, NOW);
    const copy = {
      ...genuine.tdx,
      tcbInfo: { ...genuine.tdx.tcbInfo, body: Uint8Array.from(genuine.tdx.tcbInfo.body) },
    };
    expect(verifier(copy, subject, NOW).tcbInfo).toBe(first.tcbInfo);
    expect(() => verifier(genuine.tdx, subject, day(30))).toThrow(unchecked('COLLATERAL_EXPIRED'));
    const pck = { ...intel.pck, extension: OTHER };
    expect(() => verifier(genuine.tdx, { tee: 'tdx', pck }, NOW)).toThrow(refusal('TCB_INFO_MISMATCH'));
  });

  it('does not take what it remembers of one root for proof below another', async () => {
    const verifier = createCollateralVerifier({ revocation: 'required', maxStaleSeconds: 0 });
    verifier(genuine.tdx, { tee: 'tdx', pck: intel.pck }, NOW);
    const other = await createTestIntel();
    expect(() => verifier(genuine.tdx, { tee: 'tdx', pck: other.pck }, NOW)).toThrow(
      refusal('COLLATERAL_FORGED'),
    );
  });

  describe('whom it speaks for', () => {
    it.each<[string, Overrides]>([
      ['another FMSPC', { tcbInfo: { fmspc: OTHER.fmspc } }],
      ['another PCEID', { tcbInfo: { pceId: OTHER.pceId } }],
    ])('refuses a TCB info for %s', async (_what, overrides) => {
      const raw = await fakeCollateral(intel, 'tdx', overrides);
      expect(() => verify(raw)).toThrow(refusal('TCB_INFO_MISMATCH'));
    });

    it.each(['sgx', 'tdx'] as const)('refuses the other documents for %s', (tee) => {
      const [own, other] = tee === 'sgx' ? [genuine.sgx, genuine.tdx] : [genuine.tdx, genuine.sgx];
      expect(() => verify({ ...own, tcbInfo: other.tcbInfo }, {}, NOW, { tee })).toThrow(
        refusal('TCB_INFO_MISMATCH'),
      );
      expect(() => verify({ ...own, qeIdentity: other.qeIdentity }, {}, NOW, { tee })).toThrow(
        refusal('QE_IDENTITY_MISMATCH'),
      );
    });

    it('refuses the identity of the verifying enclave', async () => {
      const raw = await fakeCollateral(intel, 'tdx', { qeIdentity: { id: 'QVE' } });
      expect(() => verify(raw)).toThrow(refusal('QE_IDENTITY_MISMATCH'));
    });

    it('compares FMSPC and PCEID whatever the case of the digits', async () => {
      const raw = await fakeCollateral(intel, 'tdx', {
        tcbInfo: { fmspc: FAKE_PLATFORM.fmspc.toLowerCase() },
      });
      expect(verify(raw).tcbInfo.fmspc).toBe(FAKE_PLATFORM.fmspc);
    });
  });

  describe('revocation', () => {
    it.each<[string, Overrides, string]>([
      ['the PCK', { pckList: { revoked: [LEAF_SERIAL] } }, 'PCK_REVOKED'],
      ['the PCK authority', { rootList: { revoked: ['0b'] } }, 'PCK_AUTHORITY_REVOKED'],
      ['the root', { rootList: { revoked: ['0a'] } }, 'PCK_AUTHORITY_REVOKED'],
      ['the TCB signer', { rootList: { revoked: ['0d'] } }, 'TCB_SIGNER_REVOKED'],
    ])('refuses when %s is revoked', async (_what, overrides, code) => {
      const raw = await fakeCollateral(intel, 'tdx', overrides);
      expect(() => verify(raw)).toThrow(refusal(code));
      expect(() => verify(raw, { revocation: 'when-available' })).toThrow(refusal(code));
    });

    it('refuses what is revoked though the list and the documents are past their end', async () => {
      const raw = await fakeCollateral(intel, 'tdx', { pckList: { revoked: [LEAF_SERIAL] } });
      expect(() => verify(raw, {}, day(60))).toThrow(refusal('PCK_REVOKED'));
    });

    it.each(['pckCrl', 'rootCrl'] as const)('could not check without %s, where it is required', (name) => {
      const raw = { ...genuine.tdx, [name]: undefined };
      expect(() => verify(raw)).toThrow(unchecked('REVOCATION_LIST_UNAVAILABLE'));
      const collateral = verify(raw, { revocation: 'when-available' });
      expect(collateral.revocation).toBe('not-checked');
    });

    it('still looks into the list that there is', async () => {
      const raw = await fakeCollateral(intel, 'tdx', { rootList: { revoked: ['0b'] } });
      expect(() => verify({ ...raw, pckCrl: undefined }, { revocation: 'when-available' })).toThrow(
        refusal('PCK_AUTHORITY_REVOKED'),
      );
    });

    it.each<[string, keyof NonNullable<Overrides>, FakeListOptions, string]>([
      ['a PCK list past its end', 'pckList', { nextUpdate: day(-1) }, 'REVOCATION_LIST_EXPIRED'],
      ['a root list past its end', 'rootList', { nextUpdate: day(-1) }, 'REVOCATION_LIST_EXPIRED'],
      ['a PCK list of tomorrow', 'pckList', { thisUpdate: day(1) }, 'REVOCATION_LIST_UNAVAILABLE'],
      ['a root list of tomorrow', 'rootList', { thisUpdate: day(1) }, 'REVOCATION_LIST_UNAVAILABLE'],
    ])('could not check with %s', async (_what, list, options, code) => {
      const raw = await fakeCollateral(intel, 'tdx', { [list]: options });
      expect(() => verify(raw)).toThrow(unchecked(code));
      expect(verify(raw, { revocation: 'when-available' }).revocation).toBe('not-checked');
    });

    it('uses a list past its end as far as is allowed', async () => {
      const raw = await fakeCollateral(intel, 'tdx', { pckList: { nextUpdate: day(-1) } });
      expect(verify(raw, { maxStaleSeconds: 86_400 }).revocation).toBe('stale');
      expect(() => verify(raw, { maxStaleSeconds: 86_399 })).toThrow(unchecked('REVOCATION_LIST_EXPIRED'));
    });

    it('refuses lists of others', async () => {
      const { pckCrl } = genuine.tdx;
      const rootCrl = await fakeList(intel.root);
      const swapped = { ...genuine.tdx, pckCrl: { der: rootCrl, issuerChain: [] } };
      expect(() => verify(swapped)).toThrow(refusal('REVOCATION_LIST_MISMATCH'));
      expect(() => verify({ ...genuine.tdx, rootCrl: pckCrl!.der })).toThrow(
        refusal('REVOCATION_LIST_MISMATCH'),
      );
    });

    it('refuses lists that another key of the same name signed, or that are none', async () => {
      const other = await createTestIntel();
      const der = await fakeList(other.intermediate);
      expect(() => verify({ ...genuine.tdx, pckCrl: { der, issuerChain: [] } })).toThrow(
        refusal('COLLATERAL_FORGED'),
      );
      expect(() => verify({ ...genuine.tdx, rootCrl: Uint8Array.of(0x30, 0) })).toThrow(
        refusal('COLLATERAL_MALFORMED'),
      );
      const rootCrl = await fakeList(other.root);
      for (const revocation of ['required', 'when-available'] as const) {
        expect(() => verify({ ...genuine.tdx, rootCrl }, { revocation })).toThrow(
          refusal('COLLATERAL_FORGED'),
        );
      }
    });
  });

  describe('time', () => {
    it.each<[string, Overrides]>([
      ['a TCB info', { tcbInfo: { nextUpdate: day(-1).toISOString() } }],
      ['a QE identity', { qeIdentity: { nextUpdate: day(-1).toISOString() } }],
    ])('could not check with %s past its end, but for what is allowed', async (_what, overrides) => {
      const raw = await fakeCollateral(intel, 'tdx', overrides);
      for (const revocation of ['required', 'when-available'] as const) {
        expect(() => verify(raw, { revocation })).toThrow(unchecked('COLLATERAL_EXPIRED'));
      }
      expect(() => verify(raw, { maxStaleSeconds: 86_399 })).toThrow(unchecked('COLLATERAL_EXPIRED'));
      expect(verify(raw, { maxStaleSeconds: 86_400 }).dates.earliestExpiration).toEqual(day(-1));
    });

    it.each<[string, Overrides]>([
      ['a TCB info', { tcbInfo: { issueDate: day(1).toISOString() } }],
      ['a QE identity', { qeIdentity: { issueDate: day(1).toISOString() } }],
    ])('could not check with %s of tomorrow', async (_what, overrides) => {
      const raw = await fakeCollateral(intel, 'tdx', overrides);
      expect(() => verify(raw, { maxStaleSeconds: 864_000 })).toThrow(unchecked('COLLATERAL_UNAVAILABLE'));
    });

    it('uses what ends this very moment', async () => {
      expect(verify(genuine.tdx, {}, new Date('2026-06-14T00:00:00Z')).revocation).toBe('good');
      expect(LIST_UNTIL > new Date('2026-06-14T00:00:00Z')).toBe(true);
    });

    it('could not check with a signer whose certificate is over, or not yet begun', async () => {
      const over = await createTestIntel({ signer: { notAfter: day(-1) } });
      const raw = await fakeCollateral(over, 'tdx');
      const pck: PlatformPck = over.pck;
      expect(() => verify(raw, {}, NOW, { pck })).toThrow(unchecked('COLLATERAL_EXPIRED'));
      expect(verify(raw, { maxStaleSeconds: 86_400 }, NOW, { pck }).dates.earliestExpiration).toEqual(
        day(-1),
      );
      const early = await createTestIntel({ signer: { notBefore: day(1) } });
      const ahead = await fakeCollateral(early, 'tdx');
      expect(() => verify(ahead, {}, NOW, { pck: early.pck })).toThrow(unchecked('COLLATERAL_UNAVAILABLE'));
    });
  });
});
