import type { FastifyPluginAsync, FastifyRequest } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Json } from '../claims/claims.ts';
import { NotFoundError } from '../errors/not-found-error.ts';
import {
  type ReferenceValue,
  referenceValueContentSchema,
  referenceValueNameSchema,
  type StoredReferenceValue,
} from './reference-value.ts';
import type { ReferenceValueRepository } from './reference-value-repository.ts';

export interface ReferenceValueRoutesOptions {
  readonly authorize: (request: FastifyRequest) => Promise<void>;
  readonly list: ReferenceValueRepository['list'];
  readonly find: (name: string) => Promise<StoredReferenceValue | undefined>;
  /** Records the change and resolves to the decision's id. */
  readonly set: (value: ReferenceValue, request: FastifyRequest) => Promise<string>;
  /** As `set`. Throws NotFoundError, inside a DecidedError. */
  readonly delete: (name: string, request: FastifyRequest) => Promise<string>;
}

const DEFAULT_LIMIT = 100;
const MAX_LIMIT = 1000;

const documentSchema = z.object({
  name: z.string(),
  value: z.custom<Json>(),
  expires_at: z.string().nullable(),
  author: z.string(),
  updated_at: z.string(),
});
const pageSchema = z.object({ items: z.array(documentSchema), next: z.string().nullable() });
const querySchema = z.strictObject({
  after: referenceValueNameSchema.optional(),
  limit: z.coerce.number().int().min(1).max(MAX_LIMIT).default(DEFAULT_LIMIT),
});
const paramsSchema = z.object({ name: referenceValueNameSchema });
const bodySchema = z.strictObject({
  value: referenceValueContentSchema,
  expires_at: z.iso.datetime({ offset: true }).nullable().default(null),
});

/** Reference values, for administrators. */
export const referenceValueRoutes: FastifyPluginAsync<ReferenceValueRoutesOptions> = async (
  fastify,
  options,
) => {
  const app = fastify.withTypeProvider<ZodTypeProvider>();
  app.addHook('onRequest', options.authorize);

  app.get(
    '/reference-values',
    { schema: { querystring: querySchema, response: { 200: pageSchema } } },
    async (request) => {
      const { after, limit } = request.query;
      const values = await options.list({ after, limit });
      return {
        items: values.map(toDocument),
        next: values.length === limit ? (values.at(-1)?.name ?? null) : null,
      };
    },
  );

  app.get(
    '/reference-values/:name',
    { schema: { params: paramsSchema, response: { 200: documentSchema } } },
    async (request) => {
      const value = await options.find(request.params.name);
      if (value === undefined) throw new NotFoundError('no reference value of this name, or it has expired');
      return toDocument(value);
    },
  );

  app.put(
    '/reference-values/:name',
    { schema: { params: paramsSchema, body: bodySchema } },
    async (request, reply) => {
      const { value, expires_at: expiresAt } = request.body;
      const id = await options.set(
        { name: request.params.name, value, expiresAt: expiresAt === null ? undefined : new Date(expiresAt) },
        request,
      );
      return await reply.header('verigo-decision-id', id).code(204).send();
    },
  );

  app.delete('/reference-values/:name', { schema: { params: paramsSchema } }, async (request, reply) => {
    const id = await options.delete(request.params.name, request);
    return await reply.header('verigo-decision-id', id).code(204).send();
  });
};

function toDocument({
  name,
  value,
  expiresAt,
  author,
  updatedAt,
}: StoredReferenceValue): z.input<typeof documentSchema> {
  return {
    name,
    value,
    expires_at: expiresAt?.toISOString() ?? null,
    author,
    updated_at: updatedAt.toISOString(),
  };
}
