import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Collateral } from '../../../server/collateral/collateral.ts';
import { createCollateralRepository } from '../../../server/collateral/collateral-repository.ts';
import { createChanges } from '../../../server/storage/change-feed.ts';
import type { RunningChanges } from '../../../server/storage/changes.ts';
import { createTestDatabase, type TestDatabase } from '../../fakes/test-database.ts';

const at = new Date('2026-11-23T12:00:00Z');
const later = (days: number) => new Date(at.getTime() + days * 86_400_000);

function certificate(body: string, overrides: Partial<Collateral> = {}): Collateral {
  return {
    kind: 'snp-vek',
    key: 'Milan/00/01',
    body: Buffer.from(body),
    expiresAt: later(30),
    source: 'fetched',
    ...overrides,
  };
}

describe('the collateral repository', () => {
  let database: TestDatabase;
  let running: RunningChanges[];
  beforeEach(async () => {
    database = await createTestDatabase();
    running = [];
  });
  afterEach(async () => {
    for (const changes of running) await changes.stop();
    await database.drop();
  });

  async function replica() {
    const changes = createChanges({ db: database.db, url: database.url, report: () => undefined });
    const repository = createCollateralRepository(database.db, changes, () => at);
    await changes.start();
    running.push(changes);
    return repository;
  }
  const bodyOf = async (repository: Awaited<ReturnType<typeof replica>>): Promise<string | undefined> => {
    const found = await repository.find('snp-vek', 'Milan/00/01');
    return found === undefined ? undefined : Buffer.from(found.body).toString();
  };

  it('gives back what was put, byte by byte', async () => {
    const repository = await replica();
    const kept = certificate('a', { expiresAt: undefined });
    await repository.put(kept);
    expect(await repository.find('snp-vek', kept.key)).toEqual(kept);
    expect(await repository.find('snp-crl', kept.key)).toBeUndefined();
    expect(await repository.list()).toEqual([
      { kind: 'snp-vek', key: kept.key, expiresAt: undefined, source: 'fetched', storedAt: at, size: 1 },
    ]);
  });

  it('replaces what it looked for in vain, and what it had cached, when another replica puts it', async () => {
    const [here, there] = [await replica(), await replica()];
    expect(await bodyOf(here)).toBeUndefined();
    await there.put(certificate('a'));
    await expect.poll(async () => await bodyOf(here)).toBe('a');
    await there.put(certificate('b'));
    await expect.poll(async () => await bodyOf(here)).toBe('b');
  });

  it('answers from memory while no change is announced', async () => {
    const repository = await replica();
    const row = {
      kind: 'snp-vek',
      key: 'Milan/00/01',
      expires_at: null,
      source: 'fetched',
      stored_at: at,
    } as const;
    await database.db
      .insertInto('collateral')
      .values({ ...row, body: Buffer.from('a') })
      .execute();
    expect(await bodyOf(repository)).toBe('a');
    await database.db.deleteFrom('collateral').execute();
    expect(await bodyOf(repository)).toBe('a');
  });

  it.each([
    ['fetched over fetched', 'fetched', 30, 'fetched', 10, 'new'],
    ['imported over fetched', 'fetched', 30, 'imported', 10, 'new'],
    ['imported over imported', 'imported', 30, 'imported', 10, 'new'],
    ['fetched over imported when it is valid for longer', 'imported', 30, 'fetched', 31, 'new'],
    ['not fetched over imported when it is not', 'imported', 30, 'fetched', 30, 'old'],
    ['not fetched over imported without an end', 'imported', undefined, 'fetched', 30, 'old'],
  ] as const)('takes %s', async (_what, oldSource, oldDays, newSource, newDays, expected) => {
    const repository = await replica();
    const expiresAt = oldDays === undefined ? undefined : later(oldDays);
    await repository.put(certificate('old', { source: oldSource, expiresAt }));
    await repository.put(certificate('new', { source: newSource, expiresAt: later(newDays) }));
    expect(await bodyOf(repository)).toBe(expected);
  });

  it('puts all or nothing', async () => {
    const repository = await replica();
    const broken = certificate('b', { key: 'Milan/\0' });
    await expect(repository.putAll([certificate('a'), broken])).rejects.toMatchObject({ code: '22021' });
    expect(await repository.exportAll()).toEqual([]);
  });
});
