import type { FastifyReply, FastifyRequest } from 'fastify';
import { type KbsErrorType, kbsErrorReply } from './kbs-error-reply.ts';

/** An error handler for routes whose own errors are of this type. Failures of ours are logged. */
export function replyWithKbsError(
  fallback: KbsErrorType,
): (error: unknown, request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply> {
  return async (error, request, reply) => {
    const { status, code, decisionId, retryAfter, body } = kbsErrorReply(error, fallback);
    if (status === 500) request.log.error({ err: error, code, decisionId }, 'a key broker request failed');
    if (decisionId !== undefined) reply.header('verigo-decision-id', decisionId);
    if (retryAfter !== undefined) reply.header('retry-after', retryAfter);
    return await reply
      .code(status)
      .header('verigo-code', code)
      .header('cache-control', 'no-store')
      .type('application/json')
      .send(JSON.stringify(body));
  };
}
