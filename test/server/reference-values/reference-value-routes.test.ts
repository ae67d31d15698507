import Fastify, { type FastifyInstance } from 'fastify';
import { serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { NotFoundError } from '../../../server/errors/not-found-error.ts';
import { replyWithProblem } from '../../../server/http/error-reply.ts';
import { createReferenceValueRepository } from '../../../server/reference-values/reference-value-repository.ts';
import { referenceValueRoutes } from '../../../server/reference-values/reference-value-routes.ts';
import { createTestDatabase, type TestDatabase } from '../../fakes/test-database.ts';

const AT = new Date('2026-11-23T12:00:00Z');

let database: TestDatabase;
let app: FastifyInstance;
let isAuthorized: boolean;

beforeEach(async () => {
  database = await createTestDatabase();
  isAuthorized = true;
  const values = createReferenceValueRepository(database.db, {
    announce: async () => {
      await Promise.resolve();
    },
  });
  app = Fastify();
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  app.setErrorHandler(replyWithProblem);
  await app.register(referenceValueRoutes, {
    authorize: async () => {
      if (!isAuthorized) throw Object.assign(new Error('no'), { statusCode: 401 });
      await Promise.resolve();
    },
    list: async (page) => await values.list(page),
    find: async (name) => await values.find(name, AT),
    set: async (value) => {
      await values.set(value, 'ada', AT);
      return 'the-decision';
    },
    delete: async (name) => {
      if (!(await values.delete(name))) throw new NotFoundError('none');
      return 'the-decision';
    },
  });
});
afterEach(async () => {
  await app.close();
  await database.drop();
});

async function put(name: string, payload: object) {
  return await app.inject({ method: 'PUT', url: `/reference-values/${encodeURIComponent(name)}`, payload });
}

async function get(path: string): Promise<{ readonly status: number; readonly body: unknown }> {
  const { statusCode, body } = await app.inject({ method: 'GET', url: path });
  return { status: statusCode, body: JSON.parse(body) };
}

describe('reference value routes', () => {
  it('set, get and delete', async () => {
    const set = await put('rvps:///a/b', { value: ['1', 2], expires_at: '2027-01-01T01:00:00+01:00' });
    expect(set.statusCode).toBe(204);
    expect(set.headers['verigo-decision-id']).toBe('the-decision');
    const path = '/reference-values/rvps:%2F%2F%2Fa%2Fb';
    expect(await get(path)).toEqual({
      status: 200,
      body: {
        name: 'rvps:///a/b',
        value: ['1', 2],
        expires_at: '2027-01-01T00:00:00.000Z',
        author: 'ada',
        updated_at: '2026-11-23T12:00:00.000Z',
      },
    });
    expect((await app.inject({ method: 'DELETE', url: path })).statusCode).toBe(204);
    expect(await get(path)).toMatchObject({ status: 404, body: { code: 'NOT_FOUND' } });
    expect((await app.inject({ method: 'DELETE', url: path })).statusCode).toBe(404);
  });

  it('list a page at a time', async () => {
    for (const name of ['a', 'b', 'c']) await put(name, { value: name });
    const first = (await get('/reference-values?limit=2')).body;
    expect(first).toMatchObject({ items: [{ name: 'a', expires_at: null }, { name: 'b' }], next: 'b' });
    expect((await get('/reference-values?limit=2&after=b')).body).toMatchObject({
      items: [{ name: 'c' }],
      next: null,
    });
    expect((await get('/reference-values')).body).toMatchObject({ next: null });
  });

  it('show null as it is, and nothing of what has expired', async () => {
    await put('n', { value: null });
    expect(await get('/reference-values/n')).toMatchObject({ status: 200, body: { value: null } });
    await put('old', { value: 1, expires_at: '2026-11-23T12:00:00Z' });
    expect((await get('/reference-values/old')).status).toBe(404);
  });

  it.each([
    ['no value', 'v', {}],
    ['an expiry that is no time', 'v', { value: 1, expires_at: 'soon' }],
    ['a member that is not known', 'v', { value: 1, expiry: null }],
    ['a control character in the name', 'a\nb', { value: 1 }],
  ])('refuse %s', async (_what, name, payload) => {
    expect((await put(name, payload)).statusCode).toBe(422);
  });

  it.each(['limit=0', 'limit=1001', 'limit=x', 'before=a'])('refuse the query %s', async (query) => {
    expect((await get(`/reference-values?${query}`)).status).toBe(422);
  });

  it('let nobody in who is not authorized', async () => {
    isAuthorized = false;
    expect((await put('v', { value: 1 })).statusCode).not.toBe(204);
    for (const path of ['/reference-values', '/reference-values/v'])
      expect((await get(path)).status).not.toBe(200);
    isAuthorized = true;
    expect((await get('/reference-values')).body).toMatchObject({ items: [] });
  });
});
