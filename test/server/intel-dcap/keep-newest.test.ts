import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Collateral } from '../../../server/collateral/collateral.ts';
import { classifyIntelCollateral } from '../../../server/intel-dcap/collateral-keys.ts';
import { withoutSuperseded } from '../../../server/intel-dcap/keep-newest.ts';
import { createMemoryCollateral, type MemoryCollateral } from '../../fakes/snp-memory-collateral.ts';
import { issue } from '../x509/test-pki.ts';
import {
  type CollateralPki,
  createCollateralPki,
  FMSPC,
  inDays,
  NOW,
  qeIdentity,
  tcbInfo,
} from './collateral-setup.ts';

const rowsOf = (body: string): readonly Collateral[] =>
  classifyIntelCollateral(new Uint8Array(Buffer.from(body)));

describe('withoutSuperseded', () => {
  let pki: CollateralPki;
  let store: MemoryCollateral;

  beforeAll(async () => {
    pki = await createCollateralPki();
  });
  beforeEach(() => {
    store = createMemoryCollateral();
  });

  async function importRows(rows: readonly Collateral[], at = NOW): Promise<readonly Collateral[]> {
    const chosen = await withoutSuperseded(rows, store, at);
    for (const row of chosen) await store.put(row);
    return chosen;
  }
  const kept = (selection: string | number): string =>
    Buffer.from(store.rows.get(`intel-tcb-info tdx/${FMSPC}/${selection}`)!.body).toString();

  const old = tcbInfo({ issued: inDays(-40) });
  const now = tcbInfo({ issued: inDays(-1) });
  const nowEarly = tcbInfo({ issued: inDays(-1), evaluation: 18 });

  it.each([
    ['older first', [old, now]],
    ['newer first', [now, old]],
  ])('keeps the newer of two documents, %s, imported together or one by one', async (_what, bodies) => {
    await importRows(bodies.flatMap(rowsOf));
    expect([kept(17), kept('standard'), kept('early')]).toEqual([now, now, now]);
    store.clear();
    for (const body of bodies) await importRows(rowsOf(body));
    expect([kept(17), kept('standard'), kept('early')]).toEqual([now, now, now]);
  });

  it('takes an old document where it is the only one', async () => {
    await importRows(rowsOf(old));
    expect(kept('standard')).toBe(old);
  });

  it.each([
    ['lower number first', [now, nowEarly]],
    ['higher number first', [nowEarly, now]],
  ])('tells evaluations of one month apart by their number, %s', async (_what, bodies) => {
    await importRows(bodies.flatMap(rowsOf));
    expect([kept(17), kept(18), kept('standard'), kept('early')]).toEqual([now, nowEarly, now, nowEarly]);
  });

  it('goes on to a higher number as the standard when the lower one is of another time', async () => {
    await importRows(rowsOf(old));
    await importRows(rowsOf(nowEarly));
    expect([kept('standard'), kept('early')]).toEqual([nowEarly, nowEarly]);
  });

  it('lets nothing stay that claims to be of the future', async () => {
    await importRows(rowsOf(tcbInfo({ issued: inDays(1000) })));
    await importRows(rowsOf(now));
    expect(kept('standard')).toBe(now);
    await importRows(rowsOf(tcbInfo({ issued: inDays(1000) })));
    expect(kept('standard')).toBe(now);
  });

  it('replaces what cannot be read', async () => {
    const [row] = rowsOf(now);
    await store.put({ ...row!, body: Buffer.from('x') });
    await importRows([row!]);
    expect(kept(17)).toBe(now);
  });

  it('keeps the newer revocation list, by its date and then its number', async () => {
    const list = async (days: number, number: number): Promise<Collateral> =>
      classifyIntelCollateral(await pki.list('platform', { thisUpdate: inDays(days), number }))[0]!;
    const [older, newer, newest] = [await list(-9, 1), await list(-2, 2), await list(-2, 3)];
    expect(await withoutSuperseded([newest, older, newer], store, NOW)).toEqual([newest]);
    await store.put(newer);
    expect(await withoutSuperseded([older], store, NOW)).toEqual([]);
    expect(await withoutSuperseded([newest], store, NOW)).toEqual([newest]);
  });

  it('keeps the newer certificate of an authority', async () => {
    const signer = await issue('Intel SGX TCB Signing', {
      issuer: pki.root,
      notBefore: inDays(-1),
      authority: undefined,
    });
    const [older, newer] = [pki.signer, signer].map(
      ({ certificate }) => classifyIntelCollateral(certificate.der)[0]!,
    );
    expect(await withoutSuperseded([newer!, older!], store, NOW)).toEqual([newer]);
  });

  it('lets rows of other vendors pass, and other places alone', async () => {
    const other: Collateral = {
      kind: 'snp-crl',
      key: 'Milan',
      body: Buffer.from('x'),
      expiresAt: undefined,
      source: 'imported',
    };
    const rows = [other, other, ...rowsOf(qeIdentity()), ...rowsOf(now)];
    expect(await withoutSuperseded(rows, store, NOW)).toEqual(rows);
  });
});
