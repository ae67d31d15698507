import type { FastifyPluginAsync, FastifyRequest } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { fromBase64, toBase64 } from '../bytes/encoding.ts';
import type { Collateral } from './collateral.ts';
import type { CollateralSummary } from './collateral-repository.ts';
import type { ImportItem } from './import-collateral.ts';

export interface CollateralRoutesOptions {
  readonly authorize: (request: FastifyRequest) => Promise<unknown>;
  readonly list: () => Promise<readonly CollateralSummary[]>;
  readonly exportAll: () => Promise<readonly Collateral[]>;
  readonly importItems: (
    items: readonly ImportItem[],
    request: FastifyRequest,
  ) => Promise<readonly Collateral[]>;
}

const summarySchema = z.object({
  kind: z.string(),
  key: z.string(),
  expires_at: z.string().nullable(),
  source: z.string(),
  stored_at: z.string(),
  size: z.number(),
});
/** What `export` writes is what `import` takes. */
const bundleSchema = z.object({
  form: z.literal(1),
  items: z.array(z.object({ name: z.string(), body: z.string() })),
});
const importSchema = z.object({
  items: z
    .array(z.object({ name: z.string().max(512).default('unnamed'), body: z.string() }))
    .min(1)
    .max(10_000),
});
const importedSchema = z.object({ items: z.array(z.object({ kind: z.string(), key: z.string() })) });

/** What vendors signed and this server keeps, for sites that fetch nothing, and for those that want to see. */
export const collateralRoutes: FastifyPluginAsync<CollateralRoutesOptions> = async (fastify, options) => {
  const app = fastify.withTypeProvider<ZodTypeProvider>();
  app.addHook('onRequest', async (request) => {
    await options.authorize(request);
  });

  app.get(
    '/collateral',
    { schema: { response: { 200: z.object({ items: z.array(summarySchema) }) } } },
    async () => ({
      items: (await options.list()).map(({ kind, key, expiresAt, source, storedAt, size }) => ({
        kind,
        key,
        expires_at: expiresAt?.toISOString() ?? null,
        source,
        stored_at: storedAt.toISOString(),
        size,
      })),
    }),
  );

  app.get('/collateral/export', { schema: { response: { 200: bundleSchema } } }, async () => ({
    form: 1 as const,
    items: (await options.exportAll()).map(({ kind, key, body }) => ({
      name: `${kind} ${key}`,
      body: toBase64(body),
    })),
  }));

  app.post(
    '/collateral/import',
    { schema: { body: importSchema, response: { 200: importedSchema } } },
    async (request) => {
      const items = request.body.items.map(({ name, body }) => ({ name, body: fromBase64(body) }));
      const imported = await options.importItems(items, request);
      return { items: imported.map(({ kind, key }) => ({ kind, key })) };
    },
  );
};
