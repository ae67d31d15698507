import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Claims } from '../../../../server/claims/claims.ts';
import type { SnpVerifierOptions } from '../../../../server/verifiers/snp/snp-verifier.ts';
import {
  createFakeAmd,
  type FakeAmd,
  type FakeEvidence,
  type FakeEvidenceOptions,
  sharedFakeAmd,
} from '../../../fakes/fake-amd.ts';
import { createMemoryCollateral, type MemoryCollateral } from '../../../fakes/snp-memory-collateral.ts';
import { fakeReport } from '../../../fakes/snp-report.ts';
import { claimsAt, NOTHING, NOW, putLists, verifierWith } from './snp-setup.ts';

const { reported_tcb: tcb } = fakeReport('Milan', 3);

describe('endorsement keys', () => {
  let amd: FakeAmd;
  let store: MemoryCollateral;

  beforeAll(async () => {
    amd = await sharedFakeAmd();
  });

  beforeEach(async () => {
    store = createMemoryCollateral();
    await putLists(store, amd);
  });

  async function claimsOf(evidence: unknown, options: Partial<SnpVerifierOptions> = {}): Promise<Claims> {
    return await claimsAt(NOW, verifierWith(amd, store, options), evidence);
  }

  describe('endorsement keys with the evidence', () => {
    const chip = Uint8Array.from(fakeReport('Milan', 3).chip_id);

    it.each<[string, string, FakeEvidenceOptions['certificate']]>([
      ['a key that has expired', 'CERTIFICATE_EXPIRED', { notAfter: new Date('2026-05-31T00:00:00Z') }],
      ['a key of tomorrow', 'CERTIFICATE_NOT_YET_VALID', { notBefore: new Date('2026-06-02T00:00:00Z') }],
      ['a key for another TCB', 'TCB_MISMATCH', { tcb: { ...tcb, snp: 9 } }],
      ['a key of another chip', 'CHIP_ID_MISMATCH', { hardwareId: chip.with(0, 0) }],
      ['a key for another product', 'PRODUCT_MISMATCH', { productName: 'Genoa-B1' }],
    ])('refuses %s with %s', async (_what, code, certificate) => {
      await expect(claimsOf(await amd.evidence({ certificate }))).rejects.toMatchObject({ code });
    });

    it.each(['root', 'vlek'] as const)('refuses a VCEK that the %s authority signed', async (role) => {
      const evidence = await amd.evidence({ certificate: { signer: amd.authority('Milan', role) } });
      await expect(claimsOf(evidence)).rejects.toMatchObject({ code: 'CHAIN_UNTRUSTED' });
    });

    it('refuses a chip key under the authority for VLEKs', async () => {
      const certificate = { signer: amd.authority('Milan', 'vlek') };
      const evidence = await amd.evidence({ certificate, overrides: { key_info: 0b100 } });
      await expect(claimsOf(evidence)).rejects.toMatchObject({ code: 'SIGNING_KEY_MISMATCH' });
    });

    it('refuses an AMD of the same names', async () => {
      const forger = await createFakeAmd({}, ['Milan']);
      const evidence = await forger.evidence();
      const intermediate = { cert_type: 'ASK', data: [...forger.authorityCertificate('Milan', 'vcek').der] };
      const root = { cert_type: 'ARK', data: [...forger.authorityCertificate('Milan', 'root').der] };
      evidence.cert_chain!.push(intermediate, root);
      await expect(claimsOf(evidence)).rejects.toMatchObject({ code: 'CHAIN_UNTRUSTED' });
    });

    it('refuses a signature of another chip', async () => {
      const evidence = await amd.evidence();
      const { signature } = (await amd.evidence({ overrides: { chip_id: [...chip.with(0, 1)] } }))
        .attestation_report;
      evidence.attestation_report.signature = signature;
      await expect(claimsOf(evidence)).rejects.toMatchObject({ code: 'SIGNATURE_INVALID' });
    });

    it('does not keep a verdict about dates', async () => {
      const verifier = verifierWith(amd, store);
      const evidence = await amd.evidence({ certificate: { notAfter: new Date('2026-06-02T00:00:00Z') } });
      await expect(verifier.verify(evidence, NOTHING, NOW)).resolves.toBeDefined();
      await expect(
        verifier.verify(evidence, NOTHING, new Date('2026-06-03T00:00:00Z')),
      ).rejects.toMatchObject({
        code: 'CERTIFICATE_EXPIRED',
      });
    });

    it('does not keep a verdict about revocation', async () => {
      const verifier = verifierWith(amd, store);
      const evidence = await amd.evidence();
      await expect(verifier.verify(evidence, NOTHING, NOW)).resolves.toBeDefined();
      const body = await amd.revocationList('Milan', { revoked: ['010001'], number: 2 });
      await store.put({ kind: 'snp-crl', key: 'Milan', body, expiresAt: undefined, source: 'imported' });
      await expect(verifier.verify(evidence, NOTHING, NOW)).rejects.toMatchObject({
        code: 'CERTIFICATE_REVOKED',
      });
    });

    it('says in a claim when revocation was not checked', async () => {
      store.clear();
      const evidence = await amd.evidence();
      await expect(claimsOf(evidence)).rejects.toMatchObject({ code: 'REVOCATION_LIST_UNAVAILABLE' });
      await expect(claimsOf(evidence, { revocation: 'when-available' })).resolves.toMatchObject({
        revocation_status: 'not-checked',
      });
    });
  });

  describe('with nothing but roots pinned', () => {
    const rootsOnly = (): Partial<SnpVerifierOptions> => ({ anchors: amd.rootAnchors });

    async function evidenceWithAuthority(of: FakeAmd, role: 'root' | 'vcek' | 'vlek'): Promise<FakeEvidence> {
      const evidence = await amd.evidence();
      const { der } = of.authorityCertificate('Milan', role);
      evidence.cert_chain!.push({ cert_type: 'ASK', data: [...der] });
      return evidence;
    }

    it('accepts an intermediate with the evidence or from the store', async () => {
      await expect(claimsOf(await evidenceWithAuthority(amd, 'vcek'), rootsOnly())).resolves.toBeDefined();
      const body = amd.authorityCertificate('Milan', 'vcek').der;
      await store.put({ kind: 'snp-ca', key: 'Milan/vcek', body, expiresAt: undefined, source: 'imported' });
      await expect(claimsOf(await amd.evidence(), rootsOnly())).resolves.toBeDefined();
    });

    it('could not check without one, or with a stored one that does not verify', async () => {
      const unavailable = { name: 'CouldNotCheckError', code: 'COLLATERAL_UNAVAILABLE' };
      await expect(claimsOf(await amd.evidence(), rootsOnly())).rejects.toMatchObject(unavailable);
      const body = (await createFakeAmd({}, ['Milan'])).authorityCertificate('Milan', 'vcek').der;
      await store.put({ kind: 'snp-ca', key: 'Milan/vcek', body, expiresAt: undefined, source: 'imported' });
      await expect(claimsOf(await amd.evidence(), rootsOnly())).rejects.toMatchObject(unavailable);
    });

    it.each(['root', 'vlek'] as const)('refuses the %s in its place', async (role) => {
      await expect(claimsOf(await evidenceWithAuthority(amd, role), rootsOnly())).rejects.toMatchObject({
        code: 'CHAIN_UNTRUSTED',
      });
    });

    it('refuses an intermediate of another root', async () => {
      const forger = await createFakeAmd({}, ['Milan']);
      await expect(claimsOf(await evidenceWithAuthority(forger, 'vcek'), rootsOnly())).rejects.toMatchObject({
        code: 'CHAIN_UNTRUSTED',
      });
    });

    it.each([
      ['CERTIFICATE_NOT_AUTHORITY', { isCa: false }],
      ['CERTIFICATE_NOT_AUTHORITY', { usages: ['digitalSignature'] }],
      ['CERTIFICATE_EXPIRED', { notAfter: new Date('2026-01-01T00:00:00Z') }],
      ['CERTIFICATE_NOT_YET_VALID', { notBefore: new Date('2027-01-01T00:00:00Z') }],
    ] as const)('refuses an intermediate with %s', async (code, vcek) => {
      const own = await createFakeAmd({ vcek }, ['Milan']);
      await putLists(store, own, ['Milan']);
      const evidence = await own.evidence();
      evidence.cert_chain!.push({
        cert_type: 'ASK',
        data: [...own.authorityCertificate('Milan', 'vcek').der],
      });
      await expect(claimsOf(evidence, { anchors: own.rootAnchors })).rejects.toMatchObject({ code });
    });

    it('refuses products without a root', async () => {
      const own = await createFakeAmd({}, ['Milan']);
      const evidence = await amd.evidence({ product: 'Genoa' });
      await expect(claimsOf(evidence, { anchors: own.anchors })).rejects.toMatchObject({
        code: 'PRODUCT_UNSUPPORTED',
      });
    });
  });

  it.each<[string, 'root' | 'vcek', string, Date]>([
    ['an authority that has expired', 'vcek', 'CERTIFICATE_EXPIRED', new Date('2026-01-01T00:00:00Z')],
    ['a root that has expired', 'root', 'CERTIFICATE_EXPIRED', new Date('2026-01-01T00:00:00Z')],
  ])('refuses %s', async (_what, role, code, notAfter) => {
    const own = await createFakeAmd({ [role]: { notAfter } }, ['Milan']);
    await putLists(store, own, ['Milan']);
    await expect(claimsOf(await own.evidence(), { anchors: own.anchors })).rejects.toMatchObject({
      code,
    });
  });

  it('refuses a version 2 report whose key has an issuer of no product', async () => {
    const signer = (await createFakeAmd({ vcek: { commonName: 'SEV-Rome' } }, ['Milan'])).authority(
      'Milan',
      'vcek',
    );
    const evidence = await amd.evidence({ version: 2, certificate: { signer } });
    await expect(claimsOf(evidence)).rejects.toMatchObject({ code: 'PRODUCT_UNSUPPORTED' });
  });
});
