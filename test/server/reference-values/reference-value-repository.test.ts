import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Json } from '../../../server/claims/claims.ts';
import {
  createReferenceValueRepository,
  type ReferenceValueRepository,
} from '../../../server/reference-values/reference-value-repository.ts';
import { announceChange } from '../../../server/storage/changes.ts';
import { createTestDatabase, type TestDatabase } from '../../fakes/test-database.ts';

const AT = new Date('2026-11-23T12:00:00Z');
const LATER = new Date('2026-11-23T13:00:00Z');

let database: TestDatabase;
let values: ReferenceValueRepository;
beforeAll(async () => {
  database = await createTestDatabase();
  values = createReferenceValueRepository(database.db, {
    announce: async (transaction, topic) => {
      await announceChange(transaction, topic, false);
    },
  });
});
beforeEach(async () => {
  await database.db.deleteFrom('reference_value').execute();
  await database.db.deleteFrom('change_topic').execute();
});
afterAll(async () => {
  await database.drop();
});

async function set(name: string, value: Json, expiresAt?: Date): Promise<void> {
  await values.set({ name, value, expiresAt }, 'ada', AT);
}

async function changes(): Promise<string | undefined> {
  const row = await database.db.selectFrom('change_topic').selectAll().executeTakeFirst();
  return row && `${row.topic} ${row.version}`;
}

describe('reference values in the database', () => {
  it.each<readonly [string, Json]>([
    ['a list', ['a', 1, true, null]],
    ['an object', { a: { b: [] } }],
    ['a text', 'a'],
    ['a number', 2.5],
    ['false', false],
    ['null', null],
  ])('come back as they were: %s', async (_what, value) => {
    await set('v', value, LATER);
    expect(await values.find('v', AT)).toEqual({
      name: 'v',
      value,
      expiresAt: LATER,
      author: 'ada',
      updatedAt: AT,
    });
  });

  it('are replaced and deleted, and each change is told', async () => {
    await set('v', 1);
    await values.set({ name: 'v', value: 2, expiresAt: undefined }, 'bob', LATER);
    expect(await values.find('v', LATER)).toMatchObject({ value: 2, author: 'bob', updatedAt: LATER });
    expect(await changes()).toBe('reference-value 2');
    expect(await values.delete('v')).toBe(true);
    expect(await changes()).toBe('reference-value 3');
    expect(await values.find('v', LATER)).toBeUndefined();
    expect(await values.delete('v')).toBe(false);
    expect(await changes()).toBe('reference-value 3');
  });

  it('are absent from the moment at which they expire', async () => {
    await set('v', 1, LATER);
    expect(await values.find('v', new Date(LATER.getTime() - 1))).toBeDefined();
    expect(await values.find('v', LATER)).toBeUndefined();
  });

  it('are found many at once, with when they expire', async () => {
    await set('a', 1);
    await set('b', 2, AT);
    const found = await values.findMany(['a', 'b', 'c', "'; drop table reference_value; --"]);
    expect([...found.keys()].sort()).toEqual(['a', 'b']);
    expect(found.get('b')).toMatchObject({ value: 2, expiresAt: AT });
    expect(await values.findMany([])).toEqual(new Map());
  });

  it('are listed by name, a page at a time', async () => {
    for (const name of ['c', 'a', 'd', 'b']) await set(name, name, AT);
    const names = async (after: string | undefined, limit: number) =>
      (await values.list({ after, limit })).map(({ name }) => name);
    expect(await names(undefined, 3)).toEqual(['a', 'b', 'c']);
    expect(await names('c', 3)).toEqual(['d']);
    expect(await names('d', 3)).toEqual([]);
  });
});
