import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createKdsClient } from '../../../../server/verifiers/snp/kds-client.ts';
import {
  createRevocationCheck,
  type RevocationOptions,
  type RevocationStatus,
} from '../../../../server/verifiers/snp/revocation.ts';
import { createFakeAmd, type FakeAmd, sharedFakeAmd } from '../../../fakes/fake-amd.ts';
import type { FakeListOptions } from '../../../fakes/fake-amd-certificates.ts';
import { type FakeKds, startFakeKds } from '../../../fakes/fake-amd-kds.ts';
import { createMemoryCollateral, type MemoryCollateral } from '../../../fakes/snp-memory-collateral.ts';

const NOW = new Date('2026-06-01T00:00:00Z');
const hours = (count: number): Date => new Date(NOW.getTime() + count * 3_600_000);
const ASK_SERIAL = '010001';

describe('createRevocationCheck', () => {
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

  type Check = (at?: Date) => Promise<RevocationStatus>;

  function checkWith(options: Partial<RevocationOptions> = {}): Check {
    const check = createRevocationCheck({
      store,
      kds: undefined,
      mode: 'required',
      maxStaleSeconds: 0,
      ...options,
    });
    const { root, vcek } = amd.anchors.get('Milan')!;
    return async (at = NOW) => await check('Milan', root, [vcek!], at);
  }

  const online = (): Partial<RevocationOptions> => ({
    kds: createKdsClient({ baseUrl: kds.url, fetch: globalThis.fetch, retries: 0 }),
  });

  async function putList(options: FakeListOptions = {}, of = amd): Promise<void> {
    const body = await of.revocationList('Milan', options);
    await store.put({ kind: 'snp-crl', key: 'Milan', body, expiresAt: undefined, source: 'imported' });
  }

  it('finds nothing against an authority that is not on the list', async () => {
    await putList({ revoked: ['77'] });
    await expect(checkWith()()).resolves.toBe('good');
  });

  it.each(['required', 'when-available'] as const)('refuses a revoked authority (%s)', async (mode) => {
    await putList({ revoked: [ASK_SERIAL] });
    await expect(checkWith({ mode })()).rejects.toMatchObject({
      name: 'X509Error',
      code: 'CERTIFICATE_REVOKED',
    });
  });

  it('refuses a revoked authority though the list is past its end', async () => {
    await putList({ revoked: [ASK_SERIAL], nextUpdate: hours(-48) });
    await expect(checkWith({ mode: 'when-available' })()).rejects.toMatchObject({
      code: 'CERTIFICATE_REVOKED',
    });
  });

  it.each<[string, string, FakeListOptions | undefined]>([
    ['no list', 'REVOCATION_LIST_UNAVAILABLE', undefined],
    ['a list past its end', 'REVOCATION_LIST_EXPIRED', { nextUpdate: hours(-1) }],
    ['a list of tomorrow', 'REVOCATION_LIST_UNAVAILABLE', { thisUpdate: hours(24) }],
  ])('could not check with %s', async (_what, code, options) => {
    if (options !== undefined) await putList(options);
    await expect(checkWith()()).rejects.toMatchObject({ name: 'CouldNotCheckError', code });
    await expect(checkWith({ mode: 'when-available' })()).resolves.toBe('not-checked');
  });

  it('does not believe a list of another root of the same name, or one that is no list', async () => {
    const other = await createFakeAmd({}, ['Milan']);
    await putList({}, other);
    const check = checkWith();
    await expect(check()).rejects.toMatchObject({ code: 'REVOCATION_LIST_UNAVAILABLE' });
    await expect(check()).rejects.toMatchObject({ cause: { code: 'CRL_UNTRUSTED' } });
    const body = Uint8Array.of(1, 2, 3);
    await store.put({ kind: 'snp-crl', key: 'Milan', body, expiresAt: undefined, source: 'imported' });
    await expect(check()).rejects.toMatchObject({ cause: { code: 'CRL_MALFORMED' } });
  });

  it('says when a list is used past its end, as far as is allowed', async () => {
    await putList({ nextUpdate: hours(-1) });
    await expect(checkWith({ maxStaleSeconds: 3600 })()).resolves.toBe('stale');
    await expect(checkWith({ maxStaleSeconds: 3599 })()).rejects.toMatchObject({
      code: 'REVOCATION_LIST_EXPIRED',
    });
  });

  it('uses a list at once that somebody imported', async () => {
    const check = checkWith();
    await expect(check()).rejects.toMatchObject({ code: 'REVOCATION_LIST_UNAVAILABLE' });
    await putList();
    await expect(check()).resolves.toBe('good');
    await putList({ revoked: [ASK_SERIAL], number: 2 });
    await expect(check()).rejects.toMatchObject({ code: 'CERTIFICATE_REVOKED' });
  });

  it('keeps to the newest list that it has seen', async () => {
    const check = checkWith();
    await putList({ revoked: [ASK_SERIAL], number: 2 });
    await expect(check()).rejects.toMatchObject({ code: 'CERTIFICATE_REVOKED' });
    await putList({ number: 1 });
    await expect(check()).rejects.toMatchObject({ code: 'CERTIFICATE_REVOKED' });
    store.clear();
    await expect(check()).rejects.toMatchObject({ code: 'CERTIFICATE_REVOKED' });
  });

  it('takes an older list when the clock was set back', async () => {
    const check = checkWith();
    await putList({ thisUpdate: hours(-1), number: 2 });
    await expect(check()).resolves.toBe('good');
    await putList({ thisUpdate: hours(-100), number: 1 });
    await expect(check(hours(-50))).resolves.toBe('good');
  });

  it('fetches a list once for all who wait, and stores it', async () => {
    const check = checkWith(online());
    await expect(Promise.all(Array.from({ length: 50 }, async () => await check()))).resolves.toContain(
      'good',
    );
    expect(kds.requests).toEqual(['/vcek/v1/Milan/crl']);
    expect(store.rows.get('snp-crl Milan')).toMatchObject({ source: 'fetched' });
    await expect(checkWith()()).resolves.toBe('good');
  });

  it('fetches another list when the stored one is past its end, and uses that one if it cannot', async () => {
    await putList({ nextUpdate: hours(-1) });
    kds.lists({ number: 2 });
    await expect(checkWith(online())()).resolves.toBe('good');
    store.clear();
    await putList({ nextUpdate: hours(-1) });
    kds.mood(404);
    await expect(checkWith({ ...online(), maxStaleSeconds: 7200 })()).resolves.toBe('stale');
    await expect(checkWith(online())()).rejects.toMatchObject({
      code: 'REVOCATION_LIST_EXPIRED',
      cause: { code: 'COLLATERAL_UNAVAILABLE' },
    });
  });

  it.each([500, 'garbage', 'huge'] as const)('could not check when the service answers %s', async (mood) => {
    kds.mood(mood);
    await expect(checkWith(online())()).rejects.toMatchObject({ code: 'REVOCATION_LIST_UNAVAILABLE' });
    expect(store.rows.size).toBe(0);
  });

  it('neither believes nor stores a fetched list of another signer', async () => {
    kds.lists({ signer: amd.authority('Milan', 'vcek') });
    await expect(checkWith(online())()).rejects.toMatchObject({ cause: { code: 'CRL_UNTRUSTED' } });
    expect(store.rows.size).toBe(0);
  });

  it('asks again in the background for a list that is a day old, once an hour', async () => {
    await putList({ thisUpdate: hours(-25), number: 1 });
    kds.lists({ revoked: [ASK_SERIAL], number: 2, thisUpdate: hours(-25) });
    const check = checkWith(online());
    await expect(check()).resolves.toBe('good');
    await expect.poll(() => kds.requests.length).toBe(1);
    await expect
      .poll(async () => await check().catch((error: unknown) => error))
      .toMatchObject({
        code: 'CERTIFICATE_REVOKED',
      });
    expect(kds.requests).toHaveLength(1);
  });

  it('carries on when the background request fails', async () => {
    await putList({ thisUpdate: hours(-25) });
    kds.mood(404);
    const check = checkWith(online());
    await expect(check()).resolves.toBe('good');
    await expect.poll(() => kds.requests.length).toBe(1);
    await expect(check()).resolves.toBe('good');
    expect(kds.requests).toHaveLength(1);
  });
});
