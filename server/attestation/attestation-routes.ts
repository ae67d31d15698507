import type { FastifyPluginAsync, FastifyRequest } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { fromBase64Url, fromUtf8 } from '../bytes/encoding.ts';
import type { Clock } from '../clock.ts';
import { NotFoundError } from '../errors/not-found-error.ts';
import { isTee, type Tee } from '../evidence/tee.ts';
import type { Attest } from './attest.ts';
import { attestationRequestSchema, challengeRequestSchema } from './attestation-request.ts';
import { AttestationRequestError } from './request-error.ts';

export interface AttestationRoutesOptions {
  readonly attest: Attest;
  /** A nonce; for TEEs that ask for more in their `tee_params`, a text with the nonce in it. */
  readonly answerChallenge: (tee: Tee, params: string, at: Date) => string;
  readonly setPolicy: (id: string, rego: string, request: FastifyRequest) => Promise<readonly string[]>;
  readonly findPolicy: (id: string) => Promise<string | undefined>;
  readonly listPolicies: () => Promise<readonly string[]>;
  /** Throws unless the request may change policies; before its body is read. */
  readonly authorizePolicyChange: (request: FastifyRequest) => Promise<void>;
  readonly clock: Clock;
}

const setPolicySchema = z.object({ policy_id: z.string(), policy: z.string() });

/** The attestation service as upstream's clients know it. */
export const attestationRoutes: FastifyPluginAsync<AttestationRoutesOptions> = async (fastify, options) => {
  const app = fastify.withTypeProvider<ZodTypeProvider>();
  const { clock } = options;

  app.post('/challenge', { schema: { body: challengeRequestSchema } }, async (request, reply) => {
    const { tee, tee_params: params } = request.body;
    if (!isTee(tee)) {
      throw new AttestationRequestError('TEE_UNKNOWN', `expected the name of a TEE, got '${tee}'`);
    }
    return await reply
      .type('text/plain')
      .header('cache-control', 'no-store')
      .send(options.answerChallenge(tee, params, clock()));
  });

  app.post('/attestation', { schema: { body: attestationRequestSchema } }, async (request, reply) => {
    const { token, decisionId, warnings } = await options.attest(request.body, clock());
    if (warnings.length > 0) reply.header('warning', warnings.map(toWarningHeader));
    return await reply
      .header('verigo-decision-id', decisionId)
      .header('cache-control', 'no-store')
      .type('application/eat+jwt')
      .send(token);
  });

  const setPolicyOptions = { onRequest: options.authorizePolicyChange, schema: { body: setPolicySchema } };
  app.post('/policy', setPolicyOptions, async (request, reply) => {
    const { policy_id: id, policy } = request.body;
    const warnings = await options.setPolicy(id, fromUtf8(fromBase64Url(policy)), request);
    if (warnings.length > 0) reply.header('warning', warnings.map(toWarningHeader));
    return await reply.code(200).send();
  });

  app.get('/policy', async (_request, reply) => {
    const ids = await options.listPolicies();
    return await reply.type('application/json').send(JSON.stringify(ids.map((id) => ({ 'policy-id': id }))));
  });

  app.get('/policy/*', { schema: { params: z.object({ '*': z.string() }) } }, async (request, reply) => {
    const rego = await options.findPolicy(request.params['*']);
    if (rego === undefined) throw new NotFoundError('no policy of this id');
    return await reply.type('text/plain').send(rego);
  });
};

/** RFC 7234's form: code 299, an agent, quoted text; header text is ASCII on one line. */
export function toWarningHeader(text: string): string {
  return `299 verigo "${text
    .replaceAll(/[^\x20-\x7e]/g, ' ')
    .replaceAll(/["\\]/g, "'")
    .slice(0, 500)}"`;
}
