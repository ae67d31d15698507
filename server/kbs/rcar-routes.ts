import type { Buffer } from 'node:buffer';
import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { toWarningHeader } from '../attestation/attestation-routes.ts';
import type { Clock } from '../clock.ts';
import { attestationMessageSchema, tokenReplySchema } from '../protocol/background-check.ts';
import { handshakeChallengeSchema, handshakeRequestSchema } from '../protocol/handshake.ts';
import type { BackgroundCheck } from './background-check.ts';
import type { BeginHandshake } from './handshake.ts';
import { replyWithKbsError } from './kbs-error-routes.ts';
import { readJsonBody } from './request-body.ts';
import { type SessionCookie, writeSessionCookie } from './session-cookie.ts';

export interface RcarRoutesOptions {
  readonly beginHandshake: BeginHandshake;
  readonly checkInBackground: BackgroundCheck;
  /** The largest `/attest` body in bytes. */
  readonly maxEvidenceBytes: number;
  readonly clock: Clock;
}

/** A stranger's first message is small. */
const MAX_HANDSHAKE_BYTES = 16_384;

/** The handshake of the key broker protocol: request, challenge, attestation, response. */
export const rcarRoutes: FastifyPluginAsync<RcarRoutesOptions> = async (fastify, options) => {
  const app = fastify.withTypeProvider<ZodTypeProvider>();
  const { clock } = options;
  app.setErrorHandler(replyWithKbsError('AttestationError'));
  app.removeAllContentTypeParsers();
  app.addContentTypeParser<Buffer>('*', { parseAs: 'buffer' }, readJsonBody);

  app.post(
    '/auth',
    {
      bodyLimit: MAX_HANDSHAKE_BYTES,
      schema: { body: handshakeRequestSchema, response: { 200: handshakeChallengeSchema } },
    },
    async (request, reply) => {
      const { challenge, cookie, expiresAt } = await options.beginHandshake(request.body, clock());
      return await giveCookie(request, reply, cookie, expiresAt).send(challenge);
    },
  );

  app.post(
    '/attest',
    {
      bodyLimit: options.maxEvidenceBytes,
      schema: { body: attestationMessageSchema, response: { 200: tokenReplySchema } },
    },
    async (request, reply) => {
      const session = await options.checkInBackground(request.headers.cookie, request.body, clock());
      if (session.warnings.length > 0) reply.header('warning', session.warnings.map(toWarningHeader));
      return await giveCookie(request, reply, session.cookie, session.expiresAt)
        .header('verigo-decision-id', session.decisionId)
        .send({ token: session.token });
    },
  );
};

function giveCookie(
  request: FastifyRequest,
  reply: FastifyReply,
  cookie: SessionCookie,
  expiresAt: Date,
): FastifyReply {
  const isSecure = request.protocol === 'https';
  return reply
    .header('cache-control', 'no-store')
    .header('set-cookie', writeSessionCookie(cookie, expiresAt, { isSecure }));
}
