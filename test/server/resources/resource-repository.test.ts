import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseResourcePath } from '../../../server/resources/resource-path.ts';
import {
  createResourceRepository,
  type ResourceRepository,
} from '../../../server/resources/resource-repository.ts';
import { createAtRest } from '../../../server/storage/at-rest.ts';
import { createChanges } from '../../../server/storage/change-feed.ts';
import type { RunningChanges } from '../../../server/storage/changes.ts';
import { parseMasterKey } from '../../../server/storage/master-key.ts';
import { createTestDatabase, type TestDatabase } from '../../fakes/test-database.ts';

const AT = new Date('2026-11-23T12:00:00Z');
const path = (text: string) => parseResourcePath(text.split('/'));
let database: TestDatabase;
let changes: RunningChanges;
let resources: ResourceRepository;

beforeAll(async () => {
  database = await createTestDatabase();
  const atRest = await createAtRest(database.db, parseMasterKey(randomBytes(32).toString('hex')), () => AT);
  changes = createChanges({ db: database.db, url: database.url, report: () => undefined });
  resources = createResourceRepository(database.db, atRest, changes, { maxBytes: 1000 });
  await changes.start();
});

afterAll(async () => {
  await changes.stop();
  await database.drop();
});

describe('createResourceRepository', () => {
  it.each([
    ['nothing', new Uint8Array()],
    ['bytes', Uint8Array.of(0, 255, 10)],
    ['as much as there may be', new Uint8Array(1000)],
  ])('keeps %s', async (_what, content) => {
    await resources.put(path('keep/a/b'), content, AT);
    expect(Buffer.from((await resources.find(path('keep/a/b'))) ?? []).equals(content)).toBe(true);
  });

  it('replaces, and deletes once', async () => {
    await resources.put(path('keep/a/c'), Buffer.from('one'), AT);
    await resources.put(path('keep/a/c'), Buffer.from('two'), AT);
    expect(Buffer.from((await resources.find(path('keep/a/c'))) ?? []).toString()).toBe('two');
    expect(await resources.delete(path('keep/a/c'))).toBe(true);
    expect(await resources.delete(path('keep/a/c'))).toBe(false);
    expect(await resources.find(path('keep/a/c'))).toBeUndefined();
  });

  it('refuses what is too large', async () => {
    await expect(resources.put(path('keep/a/d'), new Uint8Array(1001), AT)).rejects.toMatchObject({
      code: 'RESOURCE_TOO_LARGE',
    });
  });

  it('lists page by page, without content', async () => {
    for (const name of ['b', 'a', 'c'])
      await resources.put(path(`list/a/${name}`), Buffer.from('secret'), AT);
    const first = await resources.list({ after: 'list', limit: 2 });
    expect(first).toEqual([
      { path: 'list/a/a', size: 6, updatedAt: AT },
      { path: 'list/a/b', size: 6, updatedAt: AT },
    ]);
    expect((await resources.list({ after: first[1]?.path, limit: 2 })).map((one) => one.path)).toEqual([
      'list/a/c',
    ]);
    expect((await resources.list({ after: undefined, limit: 1000 })).length).toBeGreaterThanOrEqual(3);
  });

  it('keeps no content in the clear, and opens a row at its own path only', async () => {
    await resources.put(path('seal/a/one'), Buffer.from('a secret in the clear'), AT);
    await resources.put(path('seal/a/two'), Buffer.from('x'), AT);
    const { db } = database;
    const row = await db
      .selectFrom('resource')
      .select('sealed')
      .where('path', '=', 'seal/a/one')
      .executeTakeFirstOrThrow();
    expect(Buffer.from(row.sealed).includes('a secret in the clear')).toBe(false);
    await db.updateTable('resource').set({ sealed: row.sealed }).where('path', '=', 'seal/a/two').execute();
    await expect(resources.find(path('seal/a/two'))).rejects.toThrow();
  });
});
