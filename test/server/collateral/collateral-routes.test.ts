import Fastify, { type FastifyInstance } from 'fastify';
import { serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createCollateralRepository } from '../../../server/collateral/collateral-repository.ts';
import { collateralRoutes } from '../../../server/collateral/collateral-routes.ts';
import { type ClassifyCollateral, importCollateral } from '../../../server/collateral/import-collateral.ts';
import { createChanges } from '../../../server/storage/change-feed.ts';
import { createTestDatabase, type TestDatabase } from '../../fakes/test-database.ts';

const at = new Date('2026-11-23T12:00:00Z');
const base64 = (text: string): string => Buffer.from(text).toString('base64');

/** Stands for a vendor's classifier: knows what begins with "crl:". */
const classify: ClassifyCollateral = (bytes) => {
  const text = Buffer.from(bytes).toString();
  if (!text.startsWith('crl:')) return [];
  return [{ kind: 'snp-crl', key: text.slice(4), body: bytes, expiresAt: at, source: 'imported' }];
};

describe('the collateral routes', () => {
  let database: TestDatabase;
  let app: FastifyInstance;

  beforeEach(async () => {
    database = await createTestDatabase();
    const changes = createChanges({ db: database.db, url: database.url, report: () => undefined });
    const repository = createCollateralRepository(database.db, changes, () => at);
    app = Fastify().setValidatorCompiler(validatorCompiler).setSerializerCompiler(serializerCompiler);
    await app.register(collateralRoutes, {
      authorize: async (request) => {
        if (request.headers.authorization !== 'Bearer admin') throw new Error('not for you');
      },
      list: async () => await repository.list(),
      exportAll: async () => await repository.exportAll(),
      importItems: async (items) =>
        await importCollateral(items, classify, async (found) => {
          await repository.putAll(found);
        }),
    });
  });
  afterEach(async () => {
    await app.close();
    await database.drop();
  });

  const headers = { authorization: 'Bearer admin' };
  const importItems = async (items: unknown) =>
    await app.inject({ method: 'POST', url: '/collateral/import', headers, payload: { items } });
  const get = async (url: string) => await app.inject({ url, headers });

  it('imports what it recognises, lists it, and exports it in a form that it imports', async () => {
    const imported = await importItems([
      { name: 'milan.crl', body: base64('crl:Milan') },
      { body: base64('crl:Genoa') },
    ]);
    expect(imported.json()).toEqual({
      items: [
        { kind: 'snp-crl', key: 'Milan' },
        { kind: 'snp-crl', key: 'Genoa' },
      ],
    });
    const moment = at.toISOString();
    expect((await get('/collateral')).json()).toEqual({
      items: ['Genoa', 'Milan'].map((key) => ({
        kind: 'snp-crl',
        key,
        expires_at: moment,
        source: 'imported',
        stored_at: moment,
        size: 9,
      })),
    });
    const exported: { form: number; items: unknown } = (await get('/collateral/export')).json();
    expect(exported.form).toBe(1);
    expect((await importItems(exported.items)).statusCode).toBe(200);
  });

  it('imports nothing when one item is not recognised, and names it', async () => {
    const reply = await importItems([
      { body: base64('crl:Milan') },
      { name: 'holiday.jpg', body: base64('jpg') },
    ]);
    expect(reply.json()).toMatchObject({
      code: 'COLLATERAL_UNRECOGNIZED',
      message: expect.stringContaining('holiday.jpg') as string,
    });
    expect((await get('/collateral')).json()).toEqual({ items: [] });
  });

  it('refuses what is no base64', async () => {
    expect((await importItems([{ body: 'crl:Milan' }])).json()).toMatchObject({ code: 'ENCODING_MALFORMED' });
  });

  it.each([
    ['nothing', []],
    ['no list', 'crl'],
    ['an item without a body', [{ name: 'a' }]],
    ['a name that is too long', [{ name: 'a'.repeat(513), body: '' }]],
  ])('refuses %s', async (_what, items) => {
    expect((await importItems(items)).statusCode).toBe(400);
  });

  it.each([
    { method: 'GET', url: '/collateral' },
    { method: 'GET', url: '/collateral/export' },
    { method: 'POST', url: '/collateral/import', payload: { items: [] } },
  ] as const)('keeps $method $url to administrators', async (request) => {
    expect((await app.inject(request)).json()).toMatchObject({ message: 'not for you' });
  });
});
