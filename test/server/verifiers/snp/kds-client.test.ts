import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  createKdsClient,
  type KdsClient,
  type KdsOptions,
} from '../../../../server/verifiers/snp/kds-client.ts';
import { parseCertificate } from '../../../../server/x509/certificate.ts';
import { type FakeAmd, sharedFakeAmd } from '../../../fakes/fake-amd.ts';
import { type FakeKds, type FakeKdsMood, startFakeKds } from '../../../fakes/fake-amd-kds.ts';

const AT = new Date('2026-06-01T00:00:00Z');
const after = (seconds: number): Date => new Date(AT.getTime() + seconds * 1000);
const chip = new Uint8Array(64).fill(0xc1);
const tcb = { fmc: undefined, bootloader: 3, tee: 0, snp: 8, microcode: 115 };
const fast = {
  fetch: globalThis.fetch,
  attemptMilliseconds: 300,
  deadlineMilliseconds: 2000,
  retries: 1,
  firstRetryMilliseconds: 1,
} satisfies Omit<KdsOptions, 'baseUrl'>;

describe('createKdsClient', () => {
  let amd: FakeAmd;
  let kds: FakeKds;
  let client: KdsClient;

  beforeAll(async () => {
    amd = await sharedFakeAmd();
    amd.keyOf('Milan', 'c1'.repeat(64), { ...tcb, fmc: null });
    amd.keyOf('Milan', '07'.repeat(64), { ...tcb, fmc: null });
    amd.keyOf('Turin', `${'c1'.repeat(8)}${'00'.repeat(56)}`, { ...tcb, fmc: 1 });
  });

  beforeEach(async () => {
    kds = await startFakeKds(amd);
    client = createKdsClient({ ...fast, baseUrl: kds.url });
  });

  afterEach(async () => {
    await kds.close();
  });

  const fetchVcek = async (at = AT): Promise<Uint8Array> => await client.fetchVcek('Milan', chip, tcb, at);

  it('asks for a VCEK in the form of the service', async () => {
    expect(parseCertificate(await fetchVcek()).commonName).toBe('SEV-VCEK');
    expect(kds.requests).toEqual([
      `/vcek/v1/Milan/${'c1'.repeat(64)}?blSPL=03&teeSPL=00&snpSPL=08&ucodeSPL=115`,
    ]);
  });

  it('asks for a Turin VCEK with eight bytes and an fmc', async () => {
    const turinChip = new Uint8Array(64).fill(0xc1, 0, 8);
    await client.fetchVcek('Turin', turinChip, { ...tcb, fmc: 1 }, AT);
    expect(kds.requests).toEqual([
      `/vcek/v1/Turin/${'c1'.repeat(8)}?fmcSPL=01&blSPL=03&teeSPL=00&snpSPL=08&ucodeSPL=115`,
    ]);
  });

  it('asks for the revocation list, below the path of a mirror', async () => {
    expect((await client.fetchRevocationList('Genoa', AT)).byteLength).toBeGreaterThan(100);
    const mirrored = createKdsClient({ ...fast, baseUrl: `${kds.url}/mirror/` });
    await expect(mirrored.fetchRevocationList('Genoa', AT)).rejects.toMatchObject({
      code: 'COLLATERAL_UNAVAILABLE',
    });
    expect(kds.requests).toEqual(['/vcek/v1/Genoa/crl', '/mirror/vcek/v1/Genoa/crl']);
  });

  it.each<[FakeKdsMood, number]>([
    [404, 1],
    [429, 1],
    [500, 2],
    ['slow', 2],
    ['hangs-up', 2],
    ['huge', 1],
    ['redirect', 2],
  ])('could not check when the service answers %s, after %i requests', async (mood, requests) => {
    kds.mood(mood);
    await expect(fetchVcek()).rejects.toMatchObject({
      name: 'CouldNotCheckError',
      code: 'COLLATERAL_UNAVAILABLE',
    });
    expect(kds.requests).toHaveLength(requests);
  });

  it('could not check when nobody answers', async () => {
    await kds.close();
    await expect(fetchVcek()).rejects.toMatchObject({ code: 'COLLATERAL_UNAVAILABLE' });
    kds = await startFakeKds(amd);
  });

  it('tries again after a failure of the service', async () => {
    kds.mood(500, 1);
    expect((await fetchVcek()).byteLength).toBeGreaterThan(100);
    expect(kds.requests).toHaveLength(2);
  });

  it('remembers that a chip is unknown, for that chip alone', async () => {
    kds.mood(404, 1);
    await expect(fetchVcek()).rejects.toMatchObject({ code: 'COLLATERAL_UNAVAILABLE' });
    await expect(fetchVcek(after(299))).rejects.toMatchObject({ code: 'COLLATERAL_UNAVAILABLE' });
    expect(kds.requests).toHaveLength(1);
    const other = new Uint8Array(64).fill(7);
    await expect(client.fetchVcek('Milan', other, tcb, AT)).resolves.toBeDefined();
    await expect(fetchVcek(after(301))).resolves.toBeDefined();
  });

  it.each([
    [undefined, 30],
    ['7', 7],
    ['86400', 600],
    ['soon', 30],
  ])(
    'leaves the service alone after too many requests (Retry-After %s: %i seconds)',
    async (header, seconds) => {
      kds.mood(429, 1);
      if (header !== undefined) kds.retryAfter(header);
      await expect(fetchVcek()).rejects.toMatchObject({ code: 'COLLATERAL_UNAVAILABLE' });
      const other = new Uint8Array(64).fill(7);
      await expect(client.fetchVcek('Milan', other, tcb, after(seconds - 1))).rejects.toMatchObject({
        code: 'COLLATERAL_UNAVAILABLE',
      });
      expect(kds.requests).toHaveLength(1);
      await expect(client.fetchVcek('Milan', other, tcb, after(seconds + 1))).resolves.toBeDefined();
    },
  );

  it('waits less after a failure, and not at all when the clock was set back', async () => {
    kds.mood(500, 2);
    await expect(fetchVcek()).rejects.toMatchObject({ code: 'COLLATERAL_UNAVAILABLE' });
    await expect(fetchVcek(after(4))).rejects.toMatchObject({ code: 'COLLATERAL_UNAVAILABLE' });
    expect(kds.requests).toHaveLength(2);
    await expect(fetchVcek(after(-3600))).resolves.toBeDefined();
    await expect(fetchVcek(after(6))).resolves.toBeDefined();
  });

  it('bounds how many requests wait', async () => {
    kds.mood('slow');
    const chips = Array.from({ length: 80 }, (_, index) => new Uint8Array(64).fill(index + 1));
    const impatient = createKdsClient({ ...fast, baseUrl: kds.url, retries: 0, deadlineMilliseconds: 100 });
    const results = await Promise.allSettled(
      chips.map(async (id) => await impatient.fetchVcek('Milan', id, tcb, AT)),
    );
    const codes = results.map((result) => (result.status === 'rejected' ? codeOf(result.reason) : 'fetched'));
    expect(codes.filter((code) => code === 'OVERLOADED')).toHaveLength(80 - 4 - 64);
    expect(new Set(codes)).toEqual(new Set(['OVERLOADED', 'COLLATERAL_UNAVAILABLE']));
  });
});

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
