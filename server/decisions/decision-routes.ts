import type { FastifyPluginAsync, FastifyRequest } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { JsonObject } from '../claims/claims.ts';
import { NotFoundError } from '../errors/not-found-error.ts';
import type { Decision } from './decision.ts';
import type { DecisionFilter } from './decision-repository.ts';

export interface DecisionRoutesOptions {
  readonly authorize: (request: FastifyRequest) => Promise<unknown>;
  readonly list: (filter: DecisionFilter) => Promise<readonly Decision[]>;
  readonly find: (id: string) => Promise<Decision | undefined>;
}

const DEFAULT_LIMIT = 50;
const MAX_LIMIT = 500;

const decisionSchema = z.object({
  id: z.string(),
  at: z.string(),
  kind: z.string(),
  outcome: z.string(),
  code: z.string().nullable(),
  subject: z.string(),
  policy: z.object({ name: z.string(), sha384: z.string() }).nullable(),
  evidence_sha256: z.string().nullable(),
  detail: z.custom<JsonObject>(),
});
const filterSchema = z.strictObject({
  kind: z.enum(['attestation', 'release', 'admin']).optional(),
  outcome: z.enum(['granted', 'denied', 'failed']).optional(),
  before: z.uuid().optional(),
  limit: z.coerce.number().int().min(1).max(MAX_LIMIT).default(DEFAULT_LIMIT),
});
const pageSchema = z.object({ items: z.array(decisionSchema), next: z.string().nullable() });

/** The record of decisions, for administrators. */
export const decisionRoutes: FastifyPluginAsync<DecisionRoutesOptions> = async (fastify, options) => {
  const app = fastify.withTypeProvider<ZodTypeProvider>();
  app.addHook('onRequest', async (request) => {
    await options.authorize(request);
  });

  app.get(
    '/decisions',
    { schema: { querystring: filterSchema, response: { 200: pageSchema } } },
    async (request) => {
      const decisions = await options.list(request.query);
      const last = decisions.length === request.query.limit ? decisions.at(-1) : undefined;
      return { items: decisions.map(toDocument), next: last?.id ?? null };
    },
  );

  app.get(
    '/decisions/:id',
    { schema: { params: z.object({ id: z.uuid() }), response: { 200: decisionSchema } } },
    async (request) => {
      const decision = await options.find(request.params.id);
      if (decision === undefined) throw new NotFoundError(`no decision ${request.params.id}`);
      return toDocument(decision);
    },
  );
};

function toDocument(decision: Decision): z.input<typeof decisionSchema> {
  return {
    id: decision.id,
    at: decision.at.toISOString(),
    kind: decision.kind,
    outcome: decision.outcome,
    code: decision.code ?? null,
    subject: decision.subject,
    policy: decision.policy ?? null,
    evidence_sha256: decision.evidenceSha256 ?? null,
    detail: decision.detail,
  };
}
