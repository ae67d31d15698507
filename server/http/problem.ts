import type { FastifyReply } from 'fastify';

/** An error as RFC 9457 describes it, with a stable code and, when there is one, the decision that recorded it. */
export interface Problem {
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  readonly decisionId?: string | undefined;
  /** Seconds after which trying again may help. */
  readonly retryAfter?: number | undefined;
}

const TITLES: ReadonlyMap<number, string> = new Map([
  [400, 'Malformed'],
  [401, 'Not genuine or not authorized'],
  [403, 'Forbidden'],
  [404, 'Not found'],
  [405, 'Method not allowed'],
  [409, 'Nonce used or expired'],
  [413, 'Too large'],
  [415, 'Unsupported media type'],
  [422, 'Refused'],
  [429, 'Too many requests'],
  [503, 'Could not check'],
]);

/** Sends `application/problem+json`; the decision's id also as a header, for clients that do not read bodies. */
export async function sendProblem(reply: FastifyReply, problem: Problem): Promise<FastifyReply> {
  const { status, code, detail, decisionId, retryAfter } = problem;
  if (decisionId !== undefined) reply.header('verigo-decision-id', decisionId);
  if (retryAfter !== undefined) reply.header('retry-after', retryAfter);
  return await reply
    .code(status)
    .header('verigo-code', code)
    .type('application/problem+json')
    .send(
      JSON.stringify({
        type: `urn:verigo:error:${code}`,
        title: TITLES.get(status) ?? 'Error',
        status,
        code,
        detail,
        ...(decisionId !== undefined && { decision_id: decisionId }),
      }),
    );
}
