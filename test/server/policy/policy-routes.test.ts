import Fastify, { type FastifyInstance } from 'fastify';
import { serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { replyWithProblem } from '../../../server/http/error-reply.ts';
import { createPolicyRepository } from '../../../server/policy/policy-repository.ts';
import { policyRoutes } from '../../../server/policy/policy-routes.ts';
import { createPolicyStore } from '../../../server/policy/policy-store.ts';
import { createTestDatabase, type TestDatabase } from '../../fakes/test-database.ts';
import { testCompiler } from './test-opa.ts';

const SOURCE = 'package policy\n\ntrust_claims := {"hardware": 2}\n';

let database: TestDatabase;
let app: FastifyInstance;
let isAuthorized: boolean;

beforeEach(async () => {
  database = await createTestDatabase();
  isAuthorized = true;
  const changes = {
    announce: async () => {
      await Promise.resolve();
    },
    on: () => undefined,
  };
  const store = createPolicyStore({
    repository: createPolicyRepository(database.db, changes),
    compile: await testCompiler(),
    changes,
    clock: () => new Date('2026-11-23T12:00:00Z'),
  });
  app = Fastify();
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  app.setErrorHandler(replyWithProblem);
  await app.register(policyRoutes, {
    authorize: async () => {
      if (!isAuthorized) throw Object.assign(new Error('no'), { statusCode: 401 });
      await Promise.resolve();
    },
    list: async () => await store.list(),
    listVersions: async (kind, name) => await store.listVersions(kind, name),
    find: async (kind, name) => await store.find(kind, name),
    set: async (policy) => ({
      ...(await store.set({ ...policy, author: 'ada', mode: 'strict' })),
      decisionId: 'the-decision',
    }),
  });
});
afterEach(async () => {
  await app.close();
  await database.drop();
});

async function put(path: string, policy: unknown = SOURCE) {
  return await app.inject({ method: 'PUT', url: path, payload: { policy } });
}

async function get(path: string): Promise<{ readonly status: number; readonly body: unknown }> {
  const { statusCode, body } = await app.inject({ method: 'GET', url: path });
  return { status: statusCode, body: JSON.parse(body) };
}

describe('policy routes', () => {
  it('set, get and list policies and their versions', async () => {
    const set = await put('/policies/attestation/my_cpu');
    expect(set.statusCode).toBe(200);
    expect(set.headers['verigo-decision-id']).toBe('the-decision');
    const { sha384 } = JSON.parse(set.body) as { sha384: string };
    expect(JSON.parse(set.body)).toEqual({ kind: 'attestation', name: 'my_cpu', sha384, warnings: [] });

    const summary = { sha384, author: 'ada', created_at: '2026-11-23T12:00:00.000Z' };
    const named = { kind: 'attestation', name: 'my_cpu' };
    expect(await get('/policies/attestation/my_cpu')).toMatchObject({
      status: 200,
      body: { ...named, ...summary, policy: SOURCE },
    });
    expect(await get('/policies')).toMatchObject({
      status: 200,
      body: { items: [{ ...named, ...summary, updated_at: '2026-11-23T12:00:00.000Z' }] },
    });
    expect(await get('/policies/attestation/my_cpu/versions')).toMatchObject({
      status: 200,
      body: { items: [summary] },
    });
  });

  it('take names with slashes percent-encoded', async () => {
    expect((await put('/policies/attestation/team%2Fa_cpu')).statusCode).toBe(200);
    expect(await get('/policies/attestation/team%2Fa_cpu')).toMatchObject({ body: { name: 'team/a_cpu' } });
  });

  it.each([
    ['a policy that is not there', '/policies/attestation/none', 404, 'POLICY_NOT_FOUND'],
    ['versions of a policy that is not there', '/policies/resource/none/versions', 404, 'POLICY_NOT_FOUND'],
    ['a name that climbs', '/policies/attestation/..%2Fx', 422, 'POLICY_NAME_INVALID'],
  ])('refuse to get %s', async (_what, path, status, code) => {
    expect(await get(path)).toMatchObject({ status, body: { code } });
  });

  it.each([
    ['a policy that does not compile', 'package policy\n\nallow if {', 422, 'POLICY_DOES_NOT_COMPILE'],
    ['a policy without the contract', 'package policy\n\nallow := true\n', 422, 'POLICY_LACKS_CONTRACT'],
    ['a policy that is too large', `${SOURCE}#${'x'.repeat(300_000)}`, 413, 'POLICY_TOO_LARGE'],
  ])('refuse to set %s', async (_what, policy, status, code) => {
    const reply = await put('/policies/attestation/p', policy);
    expect(reply.statusCode).toBe(status);
    expect(JSON.parse(reply.body)).toMatchObject({ code });
  });

  it.each([
    ['of another kind', '/policies/other/p', SOURCE],
    ['that is no text', '/policies/attestation/p', 1],
  ])('refuse a policy %s', async (_what, path, policy) => {
    expect((await put(path, policy)).statusCode).toBe(422);
  });

  it('let nobody in who is not authorized', async () => {
    isAuthorized = false;
    for (const path of ['/policies', '/policies/attestation/p', '/policies/attestation/p/versions']) {
      expect((await app.inject({ method: 'GET', url: path })).statusCode).not.toBe(200);
    }
    await put('/policies/attestation/p');
    isAuthorized = true;
    expect(await get('/policies')).toMatchObject({ body: { items: [] } });
  });
});
