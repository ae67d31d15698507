import Fastify, { type FastifyInstance } from 'fastify';
import { serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Decision } from '../../../server/decisions/decision.ts';
import { createDecisionLog } from '../../../server/decisions/decision-log.ts';
import { createDecisionRepository } from '../../../server/decisions/decision-repository.ts';
import { decisionRoutes } from '../../../server/decisions/decision-routes.ts';
import { createTestDatabase, type TestDatabase } from '../../fakes/test-database.ts';

const at = new Date('2026-11-23T12:00:00Z');

describe('the decision routes', () => {
  let database: TestDatabase;
  let app: FastifyInstance;
  const decisions: Decision[] = [];

  beforeAll(async () => {
    database = await createTestDatabase();
    const repository = createDecisionRepository(database.db);
    const log = createDecisionLog(async (rows) => {
      await repository.insert(rows);
    });
    for (const kind of ['attestation', 'release', 'attestation'] as const) {
      const decision: Decision = {
        id: log.newId(at),
        at,
        kind,
        outcome: 'denied',
        code: 'POLICY_DENIED',
        subject: 'snp',
        policy: { name: 'default_cpu', sha384: 'ab' },
        evidenceSha256: undefined,
        detail: { reason: ['a', 1, null] },
      };
      decisions.unshift(decision);
      await log.record(decision);
    }
    app = Fastify().setValidatorCompiler(validatorCompiler).setSerializerCompiler(serializerCompiler);
    await app.register(decisionRoutes, {
      authorize: async (request) => {
        if (request.headers.authorization !== 'Bearer admin') throw new Error('not for you');
      },
      list: async (filter) => await repository.list(filter),
      find: async (id) => await repository.find(id),
    });
  });
  afterAll(async () => {
    await app.close();
    await database.drop();
  });

  const get = async (url: string) => await app.inject({ url, headers: { authorization: 'Bearer admin' } });

  it('gives one decision with everything that explains it', async () => {
    const reply = await get(`/decisions/${decisions[0]!.id}`);
    expect(reply.json()).toEqual({
      id: decisions[0]!.id,
      at: at.toISOString(),
      kind: 'attestation',
      outcome: 'denied',
      code: 'POLICY_DENIED',
      subject: 'snp',
      policy: { name: 'default_cpu', sha384: 'ab' },
      evidence_sha256: null,
      detail: { reason: ['a', 1, null] },
    });
  });

  it('goes through them page by page, the newest first', async () => {
    const seen: string[] = [];
    for (let next: string | null = ''; next !== null; ) {
      const page: { items: { id: string }[]; next: string | null } = (
        await get(`/decisions?limit=2${next === '' ? '' : `&before=${next}`}`)
      ).json();
      seen.push(...page.items.map(({ id }) => id));
      next = page.next;
    }
    expect(seen).toEqual(decisions.map(({ id }) => id));
  });

  it('filters by kind and outcome', async () => {
    const released = await get('/decisions?kind=release&outcome=denied');
    expect(released.json<{ items: unknown[] }>().items).toMatchObject([{ id: decisions[1]!.id }]);
    expect((await get('/decisions?outcome=granted')).json()).toEqual({ items: [], next: null });
  });

  it.each([
    '/decisions?limit=0',
    '/decisions?limit=501',
    '/decisions?limit=ten',
    '/decisions?kind=everything',
    '/decisions?before=1',
    '/decisions?order=asc',
    '/decisions?kind=admin&kind=release',
    "/decisions/'%20or%20true",
  ])('refuses %s', async (url) => {
    expect((await get(url)).statusCode).toBe(400);
  });

  it('does not know a decision that was not taken', async () => {
    const reply = await get('/decisions/00000000-0000-7000-8000-000000000000');
    expect(reply.json()).toMatchObject({ code: 'NOT_FOUND' });
  });

  it.each(['/decisions', `/decisions/00000000-0000-7000-8000-000000000000`])(
    'keeps %s to administrators',
    async (url) => {
      expect((await app.inject({ url })).json()).toMatchObject({ message: 'not for you' });
    },
  );
});
