import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Decision } from '../../../server/decisions/decision.ts';
import { createDecisionLog } from '../../../server/decisions/decision-log.ts';
import { createDecisionRepository } from '../../../server/decisions/decision-repository.ts';
import { createTestDatabase } from '../../fakes/test-database.ts';

const at = new Date('2026-06-01T00:00:00.000Z');

function decision(id: string, overrides: Partial<Decision> = {}): Decision {
  return {
    id,
    at,
    kind: 'attestation',
    outcome: 'granted',
    code: undefined,
    subject: 'snp',
    policy: { name: 'default_cpu', sha384: 'ab' },
    evidenceSha256: 'cd',
    detail: { submods: { cpu0: { trust_vector: { hardware: 2 } } } },
    ...overrides,
  };
}

describe('the decision log', () => {
  let database: Awaited<ReturnType<typeof createTestDatabase>>;
  beforeAll(async () => {
    database = await createTestDatabase();
  });
  afterAll(async () => {
    await database.drop();
  });

  it('has written a decision when it says so, as it was', async () => {
    const repository = createDecisionRepository(database.db);
    const log = createDecisionLog(async (rows) => {
      await repository.insert(rows);
    });
    const kept = decision(log.newId(at));
    const refused = decision(log.newId(at), {
      outcome: 'denied',
      code: 'SIGNATURE_INVALID',
      policy: undefined,
      evidenceSha256: undefined,
    });
    await log.record(kept);
    await log.record(refused);
    expect(await repository.find(kept.id)).toEqual(kept);
    expect(await repository.find(refused.id)).toEqual(refused);
    expect(await repository.find('00000000-0000-7000-8000-000000000000')).toBeUndefined();
  });

  it('makes ids of version 7 that sort as they were made, also when the clock goes back', () => {
    const log = createDecisionLog(async () => undefined);
    const times = [0, 0, 5, 5, -3, 6].map((milliseconds) => new Date(at.getTime() + milliseconds));
    const ids = [...times, ...Array.from({ length: 5000 }, () => at)].map((time) => log.newId(time));
    expect([...ids].sort()).toEqual(ids);
    expect(new Set(ids).size).toBe(ids.length);
    for (const id of ids)
      expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });

  it('lists newest first, filtered, page by page', async () => {
    const repository = createDecisionRepository(database.db);
    const log = createDecisionLog(async (rows) => {
      await repository.insert(rows);
    });
    const released = Array.from({ length: 5 }, (_value, index) =>
      decision(log.newId(at), {
        kind: 'release',
        subject: `resource a/b/${index}`,
        outcome: index === 0 ? 'denied' : 'granted',
      }),
    );
    await Promise.all(
      released.map(async (one) => {
        await log.record(one);
      }),
    );
    const newest = await repository.list({ kind: 'release', limit: 3 });
    expect(newest.map(({ id }) => id)).toEqual(
      released
        .map(({ id }) => id)
        .reverse()
        .slice(0, 3),
    );
    const rest = await repository.list({ kind: 'release', limit: 3, before: newest.at(-1)?.id });
    expect(rest.map(({ id }) => id)).toEqual(
      released
        .map(({ id }) => id)
        .reverse()
        .slice(3),
    );
    expect(await repository.list({ kind: 'release', outcome: 'denied', limit: 10 })).toHaveLength(1);
  });

  it('keeps text that could break out of a statement', async () => {
    const repository = createDecisionRepository(database.db);
    const log = createDecisionLog(async (rows) => {
      await repository.insert(rows);
    });
    const odd = decision(log.newId(at), {
      subject: `'); drop table decision; -- "\\`,
      detail: { '"': '\\' },
    });
    await log.record(odd);
    expect(await repository.find(odd.id)).toEqual(odd);
  });

  it('records text that Postgres cannot store, with a mark in its place', async () => {
    const repository = createDecisionRepository(database.db);
    const log = createDecisionLog(async (rows) => {
      await repository.insert(rows);
    });
    const odd = decision(log.newId(at), {
      subject: 'resource \0/\ud800x',
      detail: { 'a\0': ['\udc00', '\\u0000', '\u{1f511}', '\ufffd'] },
    });
    const others = [decision(log.newId(at)), decision(log.newId(at))];
    await Promise.all(
      [odd, ...others].map(async (one) => {
        await log.record(one);
      }),
    );
    expect(await repository.find(odd.id)).toEqual({
      ...odd,
      subject: 'resource \ufffd/\ufffdx',
      detail: { 'a\ufffd': ['\ufffd', '\\u0000', '\u{1f511}', '\ufffd'] },
    });
    for (const other of others) expect(await repository.find(other.id)).toEqual(other);
  });
});
