import type { Buffer } from 'node:buffer';
import type { FastifyPluginAsync, FastifyReply } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Administrator, AuthorizeAdmin } from '../admin/admin-auth.ts';
import { toWarningHeader } from '../attestation/attestation-routes.ts';
import { fromBase64Url, fromUtf8 } from '../bytes/encoding.ts';
import type { Clock } from '../clock.ts';
import { createAdminGate } from '../http/admin-gate.ts';
import { replyWithKbsError } from './kbs-error-routes.ts';
import { readJsonBody } from './request-body.ts';
import { targetPath } from './request-target.ts';

/** What a change of policy tells whoever made it. */
export interface PolicyChange {
  readonly warnings: readonly string[];
  readonly decisionId: string;
}

export interface ResourcePolicyRoutesOptions {
  readonly setResourcePolicy: (rego: string, administrator: Administrator, at: Date) => Promise<PolicyChange>;
  readonly listResourcePolicies: () => Promise<readonly string[]>;
  readonly authorize: AuthorizeAdmin;
  readonly clock: Clock;
}

export interface AttestationPolicyRoutesOptions {
  readonly setAttestationPolicy: (
    id: string,
    rego: string,
    administrator: Administrator,
    at: Date,
  ) => Promise<PolicyChange>;
  readonly authorize: AuthorizeAdmin;
  readonly clock: Clock;
}

const resourcePolicySchema = z.object({ policy: z.string() });
const attestationPolicySchema = z.object({ policy_id: z.string().max(256), policy: z.string() });

/** The policy that decides which token opens which resource. */
export const resourcePolicyRoutes: FastifyPluginAsync<ResourcePolicyRoutesOptions> = async (
  fastify,
  options,
) => {
  const app = fastify.withTypeProvider<ZodTypeProvider>();
  const { clock } = options;
  app.setErrorHandler(replyWithKbsError('ParsePolicyError'));
  app.removeAllContentTypeParsers();
  app.addContentTypeParser<Buffer>('*', { parseAs: 'buffer' }, readJsonBody);
  const admin = createAdminGate(options.authorize, clock, targetPath);

  app.post(
    '/resource-policy',
    { onRequest: admin.admit, schema: { body: resourcePolicySchema } },
    async (request, reply) => {
      const rego = decodePolicy(request.body.policy);
      const change = await options.setResourcePolicy(rego, admin.administratorOf(request), clock());
      return await replyToChange(reply, change);
    },
  );

  app.get(
    '/resource-policy',
    { onRequest: admin.admit, exposeHeadRoute: false, schema: { response: { 200: z.array(z.string()) } } },
    async (_request, reply) => await reply.send([...(await options.listResourcePolicies())]),
  );
};

/** The attestation service's policies, through the key broker. */
export const attestationPolicyRoutes: FastifyPluginAsync<AttestationPolicyRoutesOptions> = async (
  fastify,
  options,
) => {
  const app = fastify.withTypeProvider<ZodTypeProvider>();
  const { clock } = options;
  app.setErrorHandler(replyWithKbsError('AttestationError'));
  app.removeAllContentTypeParsers();
  app.addContentTypeParser<Buffer>('*', { parseAs: 'buffer' }, readJsonBody);
  const admin = createAdminGate(options.authorize, clock, targetPath);

  app.post(
    '/attestation-policy',
    { onRequest: admin.admit, schema: { body: attestationPolicySchema } },
    async (request, reply) => {
      const { policy_id: id, policy } = request.body;
      const author = admin.administratorOf(request);
      const change = await options.setAttestationPolicy(id, decodePolicy(policy), author, clock());
      return await replyToChange(reply, change);
    },
  );
};

/** Rego travels as base64url of UTF-8. Throws MalformedError. */
function decodePolicy(text: string): string {
  return fromUtf8(fromBase64Url(text));
}

async function replyToChange(reply: FastifyReply, change: PolicyChange): Promise<FastifyReply> {
  if (change.warnings.length > 0) reply.header('warning', change.warnings.map(toWarningHeader));
  return await reply.header('verigo-decision-id', change.decisionId).send();
}
