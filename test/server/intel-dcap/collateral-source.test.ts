import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createCollateralRepository } from '../../../server/collateral/collateral-repository.ts';
import { CouldNotCheckError } from '../../../server/errors/could-not-check-error.ts';
import {
  createDcapCollateralSource,
  type DcapCollateralSourceOptions,
} from '../../../server/intel-dcap/collateral-source.ts';
import type { DcapCollateral, FindDcapCollateral } from '../../../server/intel-dcap/dcap-collateral.ts';
import { createPcsClient, type PcsOptions } from '../../../server/intel-dcap/pcs-client.ts';
import { createChanges } from '../../../server/storage/change-feed.ts';
import type { RunningChanges } from '../../../server/storage/changes.ts';
import { type FakePcs, type FakePcsContent, startFakePcs } from '../../fakes/fake-pcs.ts';
import { createMemoryCollateral, type MemoryCollateral } from '../../fakes/snp-memory-collateral.ts';
import { createTestDatabase } from '../../fakes/test-database.ts';
import {
  type CollateralPki,
  createCollateralPki,
  FMSPC,
  impatient,
  importInto,
  inDays,
  NEXT_UPDATE,
  NOW,
  qeIdentity,
  tcbInfo,
} from './collateral-setup.ts';

const QUERY = { tee: 'tdx', fmspc: FMSPC, ca: 'platform' } as const;
const UNAVAILABLE = { name: 'CouldNotCheckError', code: 'COLLATERAL_UNAVAILABLE' };
const NO_LIST = { name: 'CouldNotCheckError', code: 'REVOCATION_LIST_UNAVAILABLE' };
const seconds = (count: number, from = NOW): Date => new Date(from.getTime() + count * 1000);
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();
const tcbInfoOf = (found: DcapCollateral): string => text(found.tcbInfo.body);

type SourceOptions = Partial<DcapCollateralSourceOptions> & { readonly patience?: Partial<PcsOptions> };

describe('createDcapCollateralSource', () => {
  let pki: CollateralPki;
  let content: FakePcsContent;
  let pcs: FakePcs;
  let store: MemoryCollateral;

  beforeAll(async () => {
    pki = await createCollateralPki();
    content = await pki.content();
  });

  beforeEach(async () => {
    pcs = await startFakePcs(content);
    store = createMemoryCollateral();
  });

  afterEach(async () => {
    await pcs.close();
  });

  function source({ patience, ...options }: SourceOptions = {}): FindDcapCollateral {
    const { evaluation = 'standard' } = options;
    const client = createPcsClient({
      ...impatient,
      retries: 0,
      baseUrl: pcs.url,
      apiVersion: 4,
      evaluation,
      ...patience,
    });
    return createDcapCollateralSource({ store, pcs: client, evaluation, revocation: 'required', ...options });
  }

  const importAll = async (...items: readonly (string | Uint8Array)[]) => {
    await importInto(store, items);
  };

  const row = (kindAndKey: string) => store.rows.get(kindAndKey);
  const STANDARD = `intel-tcb-info tdx/${FMSPC}/standard`;

  it('fetches what it does not have, and keeps it until Intel says', async () => {
    const found = await source()(QUERY, NOW);
    expect(tcbInfoOf(found)).toBe(tcbInfo());
    expect(text(found.qeIdentity.body)).toBe(qeIdentity());
    expect(found.tcbInfo.issuerChain).toHaveLength(2);
    expect(found.pckCrl?.issuerChain).toHaveLength(2);
    expect(Buffer.from(found.rootCrl!)).toEqual(Buffer.from(content.revocationLists!['root']!));
    expect(row(STANDARD)).toMatchObject({ source: 'fetched', expiresAt: NEXT_UPDATE });
    expect(row('intel-crl platform')).toMatchObject({ source: 'fetched', expiresAt: NEXT_UPDATE });
    expect(pcs.requests).toHaveLength(4);
    expect(await source()({ ...QUERY, fmspc: FMSPC.toLowerCase() }, NOW)).toEqual(found);
    expect(pcs.requests).toHaveLength(4);
  });

  it('fetches once for fifty that ask at once', async () => {
    const find = source();
    const all = await Promise.all(Array.from({ length: 50 }, async () => await find(QUERY, NOW)));
    expect(new Set(all.map(tcbInfoOf))).toEqual(new Set([tcbInfo()]));
    expect(pcs.requests).toHaveLength(4);
  });

  it('does not fetch what another brought while it looked', async () => {
    let held: Promise<void> | undefined;
    const late: typeof store = {
      ...store,
      async find(...place) {
        const wait = held;
        const found = await store.find(...place);
        await wait;
        return found;
      },
    };
    const find = source({ store: late });
    const gate = Promise.withResolvers<undefined>();
    held = gate.promise;
    const slow = find(QUERY, NOW);
    held = undefined;
    await find(QUERY, NOW);
    gate.resolve(undefined);
    expect(tcbInfoOf(await slow)).toBe(tcbInfo());
    expect(pcs.requests).toHaveLength(4);
  });

  it('serves what is valid while it refreshes ahead of its end, in the background', async () => {
    const find = source();
    await find(QUERY, NOW);
    const renewed = tcbInfo({ issued: inDays(24) });
    pcs.content({ ...content, tcbInfos: { [`tdx/${FMSPC}`]: renewed } });
    expect(tcbInfoOf(await find(QUERY, inDays(21)))).toBe(tcbInfo());
    expect(pcs.count('/tcb')).toBe(1);
    expect(tcbInfoOf(await find(QUERY, inDays(25)))).toBe(tcbInfo());
    await expect.poll(async () => tcbInfoOf(await find(QUERY, inDays(25)))).toBe(renewed);
    expect(pcs.count('/tcb')).toBe(2);
    expect(row(STANDARD)).toMatchObject({ expiresAt: inDays(54) });
  });

  it('never waits for a refresh, and asks again only after an hour', async () => {
    const find = source({ patience: { attemptMilliseconds: 2000 } });
    await find(QUERY, NOW);
    pcs.mood('slow');
    for (let count = 0; count < 3; count++) await expect(find(QUERY, inDays(25))).resolves.toBeDefined();
    await expect.poll(() => pcs.count('/tcb')).toBe(2);
    await find(QUERY, seconds(3599, inDays(25)));
    expect(pcs.count('/tcb')).toBe(2);
  });

  it('tells of a refresh that failed, and goes on', async () => {
    const failures: unknown[] = [];
    const find = source({ onRefreshFailure: (error) => failures.push(error) });
    await find(QUERY, NOW);
    pcs.mood(404);
    await expect(find(QUERY, inDays(25))).resolves.toBeDefined();
    await expect.poll(() => failures).toHaveLength(4);
    expect(failures[0]).toMatchObject(UNAVAILABLE);
  });

  it('asks for revocation lists anew after a day', async () => {
    const find = source();
    await find(QUERY, NOW);
    const list = await pki.list('platform', { thisUpdate: inDays(1), number: 2 });
    pcs.content({ ...content, revocationLists: { ...content.revocationLists, platform: list } });
    await find(QUERY, inDays(2));
    await expect
      .poll(async () => Buffer.from((await find(QUERY, inDays(2))).pckCrl!.der))
      .toEqual(Buffer.from(list));
    expect(pcs.count('/tcb')).toBe(1);
  });

  it('fetches again what is past its time', async () => {
    const find = source();
    await find(QUERY, NOW);
    const renewed = tcbInfo({ issued: inDays(40) });
    pcs.content({ ...content, tcbInfos: { [`tdx/${FMSPC}`]: renewed } });
    expect(tcbInfoOf(await find(QUERY, inDays(41)))).toBe(renewed);
  });

  it('serves what is past its time when nothing better is to be had, and does not ask again at once', async () => {
    const find = source();
    const first = await find(QUERY, NOW);
    pcs.mood(500);
    expect(await find(QUERY, inDays(41))).toEqual(first);
    const asked = pcs.count('/tcb');
    expect(await find(QUERY, seconds(29, inDays(41)))).toEqual(first);
    expect(pcs.count('/tcb')).toBe(asked);
    await find(QUERY, seconds(31, inDays(41)));
    expect(pcs.count('/tcb')).toBe(asked + 1);
  });

  it('does not hammer a cache that answers with something past its time', async () => {
    const find = source();
    const late = inDays(41);
    for (let count = 0; count < 5; count++) expect(tcbInfoOf(await find(QUERY, late))).toBe(tcbInfo());
    expect(pcs.count('/tcb')).toBe(1);
  });

  it('does not replace a document with an older one', async () => {
    const newer = tcbInfo({ issued: inDays(-2), evaluation: 18 });
    await importAll(newer, pki.signingChain);
    const older = tcbInfo({ issued: inDays(-20), evaluation: 17 });
    pcs.content({ ...content, tcbInfos: { [`tdx/${FMSPC}`]: older } });
    const find = source();
    const late = inDays(29);
    expect(tcbInfoOf(await find(QUERY, late))).toBe(newer);
    expect(pcs.count('/tcb')).toBe(1);
    expect(text(row(STANDARD)!.body)).toBe(newer);
  });

  it('does not use what is of the future, nor keeps it from being replaced', async () => {
    await importAll(tcbInfo({ issued: inDays(1000) }), pki.signingChain);
    expect(tcbInfoOf(await source()(QUERY, NOW))).toBe(tcbInfo());
    expect(text(row(STANDARD)!.body)).toContain(tcbInfo());
  });

  it.each<[string, string]>([
    ['garbage', 'x'],
    ['the document of another platform', tcbInfo({ fmspc: 'ABCDEF012345' })],
    ['a document of the other TEE', tcbInfo({ tee: 'sgx' })],
    ['a document with no chain anywhere', tcbInfo({ signature: 'ff' })],
  ])('does not believe the store: %s is fetched anew', async (_what, body) => {
    const [kind, key] = STANDARD.split(' ') as ['intel-tcb-info', string];
    await store.put({ kind, key, body: Buffer.from(body), expiresAt: undefined, source: 'imported' });
    await expect(source({ pcs: undefined, revocation: 'when-available' })(QUERY, NOW)).rejects.toMatchObject(
      UNAVAILABLE,
    );
    expect(tcbInfoOf(await source()(QUERY, NOW))).toBe(tcbInfo());
  });

  it.each(['pckcrl', 'rootcacrl'])(
    'could not check when %s is not to be had, or leaves it out',
    async (path) => {
      pcs.moodOf(path, 404);
      await expect(source()(QUERY, NOW)).rejects.toMatchObject(NO_LIST);
      const found = await source({ revocation: 'when-available' })(QUERY, NOW);
      expect([found.pckCrl === undefined, found.rootCrl === undefined]).toEqual([
        path === 'pckcrl',
        path === 'rootcacrl',
      ]);
    },
  );

  it('does not leave out a list because it is too busy to fetch it', async () => {
    const client = createPcsClient({ ...impatient, baseUrl: pcs.url, apiVersion: 4, evaluation: 'standard' });
    const fetchRootRevocationList = async (): Promise<never> =>
      await Promise.reject(new CouldNotCheckError('OVERLOADED', 'too many at once'));
    const find = source({ pcs: { ...client, fetchRootRevocationList }, revocation: 'when-available' });
    await expect(find(QUERY, NOW)).rejects.toMatchObject({ code: 'OVERLOADED' });
  });

  it.each(['/tcb', '/qe/identity'])(
    'could not check when %s is not to be had, whatever is said of revocation',
    async (path) => {
      pcs.moodOf(path, 404);
      await expect(source({ revocation: 'when-available' })(QUERY, NOW)).rejects.toMatchObject(UNAVAILABLE);
    },
  );

  it.each(['garbage', 'huge', 'slow', 'redirect', 'bad-chain', 'no-chain', 404, 429, 500] as const)(
    'could not check when the service answers %s, and keeps nothing that it could use',
    async (mood) => {
      pcs.mood(mood);
      await expect(source()(QUERY, NOW)).rejects.toMatchObject({ name: 'CouldNotCheckError' });
      await expect(
        source({ pcs: undefined, revocation: 'when-available' })(QUERY, NOW),
      ).rejects.toMatchObject(UNAVAILABLE);
    },
  );

  it('shares one database with another replica: what one fetched, both use', async () => {
    const database = await createTestDatabase();
    const running: RunningChanges[] = [];
    const replica = async (): Promise<FindDcapCollateral> => {
      const changes = createChanges({ db: database.db, url: database.url, report: () => undefined });
      const repository = createCollateralRepository(database.db, changes, () => NOW);
      await changes.start();
      running.push(changes);
      return source({ store: repository });
    };
    try {
      const [here, there] = [await replica(), await replica()];
      const found = await here(QUERY, NOW);
      expect(pcs.requests).toHaveLength(4);
      expect(await there(QUERY, NOW)).toEqual(found);
      expect(pcs.requests).toHaveLength(4);
      const renewed = tcbInfo({ issued: inDays(40) });
      pcs.content({ ...content, tcbInfos: { [`tdx/${FMSPC}`]: renewed } });
      expect(tcbInfoOf(await there(QUERY, inDays(41)))).toBe(renewed);
      const asked = pcs.count('/tcb');
      await expect.poll(async () => tcbInfoOf(await here(QUERY, inDays(41)))).toBe(renewed);
      expect(pcs.count('/tcb') - asked).toBeLessThanOrEqual(1);
    } finally {
      for (const changes of running) await changes.stop();
      await database.drop();
    }
  });

  it('keeps what it fetched over what was imported only while that is newer', async () => {
    await importAll(tcbInfo({ issued: inDays(-20), signature: 'aa' }), pki.signingChain);
    const find = source();
    expect(tcbInfoOf(await find(QUERY, NOW))).toContain('"aa"');
    expect(tcbInfoOf(await find(QUERY, inDays(11)))).toBe(tcbInfo());
  });
});
