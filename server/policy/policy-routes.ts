import type { FastifyPluginAsync, FastifyRequest } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { PolicyError, type PolicyKind, type PolicyRef } from './policy.ts';
import type { PolicyVersion, PolicyVersionSummary } from './policy-repository.ts';
import type { PolicyStore } from './policy-store.ts';

/** What setting a policy came to; `decisionId` names the row of the record. */
export interface PolicySet {
  readonly ref: PolicyRef;
  readonly warnings: readonly string[];
  readonly decisionId: string;
}

export interface PolicyRoutesOptions {
  readonly authorize: (request: FastifyRequest) => Promise<void>;
  readonly list: PolicyStore['list'];
  readonly listVersions: PolicyStore['listVersions'];
  readonly find: PolicyStore['find'];
  /** Compiles strictly, puts in force and records. */
  readonly set: (
    policy: { readonly kind: PolicyKind; readonly name: string; readonly source: string },
    request: FastifyRequest,
  ) => Promise<PolicySet>;
}

const kindSchema = z.enum(['attestation', 'resource']);
/** What the name may be made of is checked by the store, whose message says it. */
const paramsSchema = z.object({ kind: kindSchema, name: z.string().max(1024) });
const bodySchema = z.strictObject({ policy: z.string() });
const versionSchema = z.object({
  id: z.string(),
  sha384: z.string(),
  compiler: z.string(),
  author: z.string(),
  created_at: z.string(),
});
const summarySchema = versionSchema.extend({ kind: kindSchema, name: z.string(), updated_at: z.string() });
const policySchema = z.object({
  kind: kindSchema,
  name: z.string(),
  policy: z.string(),
  sha384: z.string(),
  compiler: z.string(),
  author: z.string(),
  created_at: z.string(),
});
const setSchema = z.object({
  kind: kindSchema,
  name: z.string(),
  sha384: z.string(),
  warnings: z.array(z.string()),
});

/** Policies, for administrators. A name that holds a slash comes percent-encoded. */
export const policyRoutes: FastifyPluginAsync<PolicyRoutesOptions> = async (fastify, options) => {
  const app = fastify.withTypeProvider<ZodTypeProvider>();
  app.addHook('onRequest', options.authorize);

  app.get(
    '/policies',
    { schema: { response: { 200: z.object({ items: z.array(summarySchema) }) } } },
    async () => ({
      items: (await options.list()).map((policy) => ({
        ...toVersion(policy),
        kind: policy.kind,
        name: policy.name,
        updated_at: policy.updatedAt.toISOString(),
      })),
    }),
  );

  app.get(
    '/policies/:kind/:name',
    { schema: { params: paramsSchema, response: { 200: policySchema } } },
    async (request) => {
      const { kind, name } = request.params;
      const policy = await options.find(kind, name);
      if (policy === undefined) throw notFound(kind, name);
      return toPolicy(policy);
    },
  );

  app.get(
    '/policies/:kind/:name/versions',
    { schema: { params: paramsSchema, response: { 200: z.object({ items: z.array(versionSchema) }) } } },
    async (request) => {
      const { kind, name } = request.params;
      const versions = await options.listVersions(kind, name);
      if (versions.length === 0) throw notFound(kind, name);
      return { items: versions.map(toVersion) };
    },
  );

  app.put(
    '/policies/:kind/:name',
    { schema: { params: paramsSchema, body: bodySchema, response: { 200: setSchema } } },
    async (request, reply) => {
      const { kind, name } = request.params;
      const set = await options.set({ kind, name, source: request.body.policy }, request);
      reply.header('verigo-decision-id', set.decisionId);
      return { kind, name, sha384: set.ref.sha384, warnings: [...set.warnings] };
    },
  );
};

function notFound(kind: PolicyKind, name: string): PolicyError {
  return new PolicyError('POLICY_NOT_FOUND', `expected ${kind} policy '${name}' to be there, got none`);
}

function toVersion({
  id,
  sha384,
  compiler,
  author,
  createdAt,
}: PolicyVersionSummary): z.infer<typeof versionSchema> {
  return { id, sha384, compiler, author, created_at: createdAt.toISOString() };
}

function toPolicy(policy: PolicyVersion): z.infer<typeof policySchema> {
  const { kind, name, source, sourceSha384: sha384, compiler, author, createdAt } = policy;
  return { kind, name, policy: source, sha384, compiler, author, created_at: createdAt.toISOString() };
}
