import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Claims } from '../../../../server/claims/claims.ts';
import {
  collateralFromCertificate,
  collateralFromRevocationList,
  vcekStoreKey,
} from '../../../../server/verifiers/snp/collateral-keys.ts';
import type { ProductLine } from '../../../../server/verifiers/snp/product.ts';
import { createSnpVerifier, type SnpVerifierOptions } from '../../../../server/verifiers/snp/snp-verifier.ts';
import type { Verifier } from '../../../../server/verifiers/verifier.ts';
import { parseCertificate } from '../../../../server/x509/certificate.ts';
import { parseRevocationList } from '../../../../server/x509/crl.ts';
import {
  createFakeAmd,
  type FakeAmd,
  type FakeEvidenceOptions,
  sharedFakeAmd,
} from '../../../fakes/fake-amd.ts';
import { type FakeKds, startFakeKds } from '../../../fakes/fake-amd-kds.ts';
import { createMemoryCollateral, type MemoryCollateral } from '../../../fakes/snp-memory-collateral.ts';
import { encodeFakeTcb, fakeReport } from '../../../fakes/snp-report.ts';

const NOW = new Date('2026-06-01T00:00:00Z');
const UNAVAILABLE = { name: 'CouldNotCheckError', code: 'COLLATERAL_UNAVAILABLE' };
const milan = fakeReport('Milan', 3);
const chip = Uint8Array.from(milan.chip_id);
const STORE_KEY = `snp-vek ${vcekStoreKey('Milan', chip, Uint8Array.from(encodeFakeTcb(milan.reported_tcb, 'Milan')))}`;

describe('evidence without certificates', () => {
  let amd: FakeAmd;
  let store: MemoryCollateral;
  let kds: FakeKds;

  beforeAll(async () => {
    amd = await sharedFakeAmd();
  });

  beforeEach(async () => {
    store = createMemoryCollateral();
    kds = await startFakeKds(amd);
  });

  afterEach(async () => {
    await kds.close();
  });

  function verifier(options: Partial<SnpVerifierOptions> = {}): Verifier {
    return createSnpVerifier({
      anchors: amd.anchors,
      store,
      kds: { baseUrl: kds.url, fetch: globalThis.fetch, retries: 0, attemptMilliseconds: 500 },
      revocation: 'when-available',
      maxStaleSeconds: 0,
      ...options,
    });
  }

  async function verify(by: Verifier, options: FakeEvidenceOptions = {}): Promise<Claims> {
    const evidence = await amd.evidence({ certificates: 'none', ...options });
    const [{ claims }] = await by.verify(evidence, { reportData: undefined, initDataDigest: undefined }, NOW);
    return claims;
  }

  async function put(body: Uint8Array): Promise<void> {
    const key = STORE_KEY.slice('snp-vek '.length);
    await store.put({ kind: 'snp-vek', key, body, expiresAt: undefined, source: 'imported' });
  }

  const vcekRequests = (): number => kds.requests.filter((path) => !path.endsWith('/crl')).length;

  it.each<[ProductLine, number]>([
    ['Milan', 2],
    ['Milan', 3],
    ['Genoa', 2],
    ['Genoa', 3],
    ['Turin', 5],
  ])('fetches the VCEK of %s, report version %i, and stores it', async (product, version) => {
    await expect(verify(verifier(), { product, version })).resolves.toMatchObject({ product });
    const stored = [...store.rows.values()].find(
      (row) => row.kind === 'snp-vek' && row.key.startsWith(product),
    );
    expect(stored).toMatchObject({ source: 'fetched', expiresAt: new Date('2050-01-01T00:00:00Z') });
    const requests = vcekRequests();
    await expect(verify(verifier(), { product, version })).resolves.toBeDefined();
    // A Genoa report of version 2 does not say that it is none of Milan, where it is then looked for once more.
    expect(vcekRequests()).toBeLessThanOrEqual(requests + (product === 'Genoa' && version === 2 ? 1 : 0));
  });

  it('fetches once for a thousand guests of one chip', async () => {
    const by = verifier();
    await Promise.all(Array.from({ length: 1000 }, async () => await verify(by)));
    expect(vcekRequests()).toBe(1);
  });

  it('asks nobody when the store has it, or when it is offline', async () => {
    await put(await amd.vcek('Milan', chip, milan.reported_tcb));
    await expect(verify(verifier({ kds: undefined }))).resolves.toMatchObject({ signing_key: 'vcek' });
    store.clear();
    await expect(verify(verifier({ kds: undefined }))).rejects.toMatchObject(UNAVAILABLE);
    expect(kds.requests).toEqual([]);
  });

  it.each<[string, () => Promise<Uint8Array>]>([
    [
      'a certificate of a forger',
      async () => await (await createFakeAmd({}, ['Milan'])).vcek('Milan', chip, milan.reported_tcb),
    ],
    [
      'the certificate of another chip',
      async () => await amd.vcek('Milan', chip.with(0, 0), milan.reported_tcb),
    ],
    [
      'a certificate for another TCB',
      async () => await amd.vcek('Milan', chip, { ...milan.reported_tcb, snp: 1 }),
    ],
    [
      'an expired certificate',
      async () =>
        await amd.vcek('Milan', chip, milan.reported_tcb, { notAfter: new Date('2026-01-01T00:00:00Z') }),
    ],
    ['garbage', async () => await Promise.resolve(Uint8Array.of(1, 2, 3))],
  ])('does not believe the store: %s is fetched anew, or could not be checked', async (_what, create) => {
    const body = await create();
    await put(body);
    await expect(verify(verifier({ kds: undefined }))).rejects.toMatchObject(UNAVAILABLE);
    await expect(verify(verifier())).resolves.toBeDefined();
    expect(store.rows.get(STORE_KEY)).toMatchObject({ source: 'fetched' });
  });

  it.each(['garbage', 'huge', 'slow', 'redirect', 404, 429, 500] as const)(
    'could not check when the service answers %s, and stores nothing',
    async (mood) => {
      kds.mood(mood);
      await expect(verify(verifier())).rejects.toMatchObject(UNAVAILABLE);
      expect(store.rows.size).toBe(0);
    },
  );

  it('could not check when the service sends the key of another chip, and stores nothing', async () => {
    kds.certificates({ hardwareId: chip.with(0, 0) });
    await expect(verify(verifier())).rejects.toMatchObject(UNAVAILABLE);
    expect(store.rows.has(STORE_KEY)).toBe(false);
  });

  it.each<[string, string, FakeEvidenceOptions]>([
    ['a masked chip id', 'CHIP_ID_MASKED', { overrides: { chip_id: milan.chip_id.map(() => 0) } }],
    ['a report that a VLEK signed', 'ENDORSEMENT_KEY_MISSING', { signingKey: 'vlek' }],
    ['a processor that we do not know', 'PRODUCT_UNSUPPORTED', { overrides: { cpuid_mod_id: 0x20 } }],
  ])('refuses %s before any request', async (_what, code, options) => {
    await expect(verify(verifier(), options)).rejects.toMatchObject({ code });
    expect(kds.requests).toEqual([]);
  });

  it('refuses the key of a revoked authority, fetched or stored', async () => {
    kds.lists({ revoked: ['010001'] });
    await expect(verify(verifier())).rejects.toMatchObject({ code: 'CERTIFICATE_REVOKED' });
    expect(store.rows.has(STORE_KEY)).toBe(true);
    await expect(verify(verifier())).rejects.toMatchObject({ code: 'CERTIFICATE_REVOKED' });
  });

  it('does not fetch a key again because there is no revocation list', async () => {
    const wrongLists = { signer: amd.authority('Milan', 'vcek') };
    kds.lists(wrongLists);
    const by = verifier({ revocation: 'required' });
    for (let round = 0; round < 3; round++) {
      await expect(verify(by)).rejects.toMatchObject({ code: 'REVOCATION_LIST_UNAVAILABLE' });
    }
    expect(vcekRequests()).toBe(1);
  });

  it('takes an empty table for none', async () => {
    const evidence = { ...(await amd.evidence({ certificates: 'none' })), cert_chain: [] };
    const expected = { reportData: undefined, initDataDigest: undefined };
    await expect(verifier().verify(evidence, expected, NOW)).resolves.toBeDefined();
  });

  it('verifies from collateral that was imported by content', async () => {
    const genoa = fakeReport('Turin', 5);
    const vcek = await amd.vcek('Turin', Uint8Array.from(genoa.chip_id), genoa.reported_tcb);
    const list = parseRevocationList(await amd.revocationList('Turin'));
    const imported = [
      collateralFromCertificate(parseCertificate(vcek)),
      collateralFromCertificate(amd.authorityCertificate('Turin', 'vcek')),
      collateralFromRevocationList(list),
    ];
    for (const collateral of imported) await store.put(collateral!);
    const offline = verifier({ kds: undefined, anchors: amd.rootAnchors, revocation: 'required' });
    await expect(verify(offline, { product: 'Turin' })).resolves.toMatchObject({ revocation_status: 'good' });
  });

  it('does not take other certificates and lists for collateral', async () => {
    expect(collateralFromCertificate(amd.authorityCertificate('Milan', 'root'))).toBeUndefined();
    expect(
      collateralFromCertificate(parseCertificate(await amd.vlek('Milan', milan.reported_tcb))),
    ).toBeUndefined();
    const renamed = await createFakeAmd({ root: { commonName: 'Somebody' } }, ['Milan']);
    expect(
      collateralFromRevocationList(parseRevocationList(await renamed.revocationList('Milan'))),
    ).toBeUndefined();
  });
});
