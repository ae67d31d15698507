import type { z } from 'zod';
import { isCodedError } from '../../server/errors/coded-error.ts';
import { jsonText } from '../../server/json/json-text.ts';
import { parseJson } from '../../server/json/strict-json.ts';
import { ClientError, type ServerStatement } from '../client-error.ts';
import { utf8Bytes, utf8Text } from '../text-encoding.ts';
import type { HttpExchange, HttpReply } from './exchange.ts';
import { hostOf } from './exchange-failure.ts';

/** A server that we speak to: where it is, and how requests travel there. */
export interface Server {
  /** Without a slash at its end. */
  readonly baseUrl: string;
  readonly exchange: HttpExchange;
  /** Not said where the runtime says its own, as browsers do. */
  readonly userAgent?: string | undefined;
}

export interface ServerRequest {
  /** Begins with a slash. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON, by POST; integers beyond 2^53 may be bigint. Absent: GET. */
  readonly json?: object;
  readonly maxReplyBytes?: number;
  readonly signal: AbortSignal;
}

/** Larger than any token with its claims. */
const MAX_REPLY_BYTES = 1 << 20;
const MAX_DETAIL = 500;
const MAX_RETRY_AFTER_SECONDS = 3600;
const KBS_ERROR_TYPE = /^[A-Za-z0-9:/._-]*\/errors\/([A-Za-z0-9]{1,64})$/;

/** One request. Resolves for every status but a redirect's. Throws ClientError as HttpExchange does. */
export async function ask(server: Server, request: ServerRequest): Promise<HttpReply> {
  const { json, signal } = request;
  return await server.exchange({
    method: json === undefined ? 'GET' : 'POST',
    url: server.baseUrl + request.path,
    headers: {
      accept: 'application/json, */*',
      ...(json !== undefined && { 'content-type': 'application/json' }),
      ...(server.userAgent !== undefined && { 'user-agent': server.userAgent }),
      ...request.headers,
    },
    ...(json !== undefined && { body: utf8Bytes(jsonText(json)) }),
    maxReplyBytes: request.maxReplyBytes ?? MAX_REPLY_BYTES,
    signal,
  });
}

/** What a refusal says, of either form: problem+json, the key broker's `{type, detail}`, or none that we can read. */
export interface Refusal extends ServerStatement {
  /** The server's words, cut and on one line; empty when its body is not JSON: that must not hide the status. */
  readonly detail: string;
}

export function refusalOf(reply: HttpReply): Refusal {
  const body = jsonObjectOrNothing(reply.bytes);
  const text = (name: string): string | undefined => {
    const value = body[name];
    return typeof value === 'string' ? value : undefined;
  };
  return {
    status: reply.status,
    serverCode: reply.header('verigo-code') ?? text('code') ?? KBS_ERROR_TYPE.exec(text('type') ?? '')?.[1],
    decisionId: reply.header('verigo-decision-id') ?? text('decision_id'),
    retryAfterSeconds: parseRetryAfter(reply.header('retry-after')),
    detail: (text('detail') ?? '').replaceAll(/[^\x20-\x7e]+/g, ' ').slice(0, MAX_DETAIL),
  };
}

/** Failures of the server itself, which say nothing about the request; undefined: the refusal is an answer. */
export function failureOfServer(server: Server, refusal: Refusal): ClientError | undefined {
  const { status } = refusal;
  if (status === 429) return refused('SERVER_OVERLOADED', server, refusal);
  return status >= 500 ? refused('SERVER_FAILED', server, refusal) : undefined;
}

export function refused(code: ClientError['code'], server: Server, refusal: Refusal): ClientError {
  const { detail, ...statement } = refusal;
  const said = detail === '' ? '' : `: ${detail}`;
  return new ClientError(code, `${hostOf(server.baseUrl)} answered ${statement.status}${said}`, {
    statement,
  });
}

/** Throws ClientError REPLY_MALFORMED. */
export function replyText(server: Server, { bytes }: HttpReply): string {
  return readable(server, 'text in UTF-8', () => utf8Text(bytes));
}

/** Throws ClientError REPLY_MALFORMED. */
export function replyJson<T>(server: Server, reply: HttpReply, schema: z.ZodType<T>): T {
  const text = replyText(server, reply);
  const parsed = schema.safeParse(readable(server, 'JSON', () => parseJson(text)));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw malformed(server, `'${issue?.path.join('.') ?? ''}' as the protocol has it`);
}

function readable<T>(server: Server, expected: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (!isCodedError(cause)) throw cause;
    throw malformed(server, expected, cause);
  }
}

export function malformed(server: Server, expected: string, cause?: unknown): ClientError {
  const message = `expected ${expected} from ${hostOf(server.baseUrl)}, got something else`;
  return new ClientError('REPLY_MALFORMED', message, { cause });
}

function jsonObjectOrNothing(bytes: Uint8Array): Readonly<Record<string, unknown>> {
  try {
    const value = parseJson(utf8Text(bytes));
    return value !== null && typeof value === 'object' ? { ...value } : {};
  } catch (error) {
    if (isCodedError(error)) return {}; // a proxy's page: the status says enough
    throw error;
  }
}

/** Seconds; the form with a date is not used by any of these servers. */
function parseRetryAfter(text: string | undefined): number | undefined {
  if (text === undefined || !/^[0-9]{1,9}$/.test(text)) return undefined;
  return Math.min(Number(text), MAX_RETRY_AFTER_SECONDS);
}
