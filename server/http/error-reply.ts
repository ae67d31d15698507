import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod';
import { type CodedError, isCodedError } from '../errors/coded-error.ts';
import { DecidedError } from '../errors/decided-error.ts';
import { type Problem, sendProblem } from './problem.ts';
import { statusOfCode } from './status-of-code.ts';

/** Failures that the HTTP library finds, by its code. */
const FRAMEWORK_PROBLEMS: ReadonlyMap<string, Problem> = new Map([
  [
    'FST_ERR_CTP_BODY_TOO_LARGE',
    { status: 413, code: 'BODY_TOO_LARGE', detail: 'the body is larger than this server reads' },
  ],
  [
    'FST_ERR_CTP_INVALID_MEDIA_TYPE',
    {
      status: 415,
      code: 'MEDIA_TYPE_UNSUPPORTED',
      detail: 'expected a body of content type application/json',
    },
  ],
  [
    'FST_ERR_CTP_EMPTY_JSON_BODY',
    { status: 400, code: 'JSON_MALFORMED', detail: 'expected a JSON body, got none' },
  ],
  [
    'FST_ERR_CTP_INVALID_CONTENT_LENGTH',
    { status: 400, code: 'BODY_TRUNCATED', detail: 'expected as many bytes as content-length says' },
  ],
  ['FST_ERR_BAD_URL', { status: 400, code: 'URL_MALFORMED', detail: 'expected a path that can be decoded' }],
]);

/** What a client may know of an error. Our own failures say nothing but that they are ours. */
export function problemOf(error: unknown): Problem {
  if (error instanceof DecidedError) return { ...problemOf(error.cause), decisionId: error.decisionId };
  if (isCodedError(error)) return codedProblem(error);
  if (hasZodFastifySchemaValidationErrors(error)) {
    const detail = error.validation
      .map(({ instancePath, message }) => `${instancePath || '/'}: ${message ?? ''}`)
      .join('; ');
    return {
      status: 422,
      code: 'SCHEMA_REFUSED',
      detail: `${error.validationContext ?? 'request'}: ${detail}`.slice(0, 2000),
    };
  }
  const code = error instanceof Error ? (error as FastifyError).code : undefined;
  const framework = code === undefined ? undefined : FRAMEWORK_PROBLEMS.get(code);
  if (framework !== undefined) return framework;
  if (error instanceof Error && (error as FastifyError).statusCode === 429) {
    return {
      status: 429,
      code: 'TOO_MANY_REQUESTS',
      detail: 'too many requests from this address; wait and try again',
    };
  }
  return { status: 500, code: 'INTERNAL_ERROR', detail: 'this server failed; its log says why' };
}

function codedProblem(error: CodedError): Problem {
  const status = statusOfCode(error.code);
  if (status === undefined)
    return { status: 500, code: 'INTERNAL_ERROR', detail: 'this server failed; its log says why' };
  return { status, code: error.code, detail: error.message, ...(status === 503 && { retryAfter: 1 }) };
}

/** Turns every error of a route into `application/problem+json`. */
export async function replyWithProblem(
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const problem = problemOf(error);
  logFailure(error, problem, request);
  return await sendProblem(reply, problem);
}

/** Refusals are the clients' affair and in the decision record; what we could not do is ours. */
export function logFailure(error: unknown, problem: Problem, request: FastifyRequest): void {
  const fields = { code: problem.code, route: request.routeOptions.url, decision: problem.decisionId };
  if (problem.status === 500) request.log.error({ ...fields, err: unwrapped(error) }, 'failed');
  else if (problem.status === 503) request.log.warn({ ...fields, err: unwrapped(error) }, 'could not check');
  else request.log.debug(fields, 'refused');
}

function unwrapped(error: unknown): unknown {
  return error instanceof DecidedError ? error.cause : error;
}
