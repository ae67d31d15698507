import { z } from 'zod';
import { concatBytes } from '../bytes/byte-strings.ts';
import { fromUtf8, toUtf8 } from '../bytes/encoding.ts';
import { parseJson } from '../json/strict-json.ts';
import { CommandError, ServerRefusal } from './command-error.ts';

const DEADLINE_MS = 60_000;
/** Larger than any page of a list; `collateral export` asks for more. */
const MAX_REPLY_BYTES = 8 << 20;

export interface ApiRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Begins with a slash; every variable part has gone through `segment`. */
  readonly path: string;
  readonly body?: { readonly type: string; readonly bytes: Uint8Array };
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as a bearer token. */
  readonly token?: string | undefined;
  readonly maxReplyBytes?: number;
}

export interface ApiReply {
  readonly headers: Headers;
  readonly bytes: Uint8Array;
}

/**
 * Speaks to one server. Throws ServerRefusal for every status that is not 2xx, CommandError SERVER_UNREACHABLE
 * when no reply arrives in time, SERVER_REPLY_UNEXPECTED when the reply is too long or not of its form.
 */
export interface ApiClient {
  send(request: ApiRequest): Promise<ApiReply>;
  text(request: ApiRequest): Promise<string>;
  json<T>(request: ApiRequest, schema: z.ZodType<T>): Promise<T>;
}

/** Both forms of error: problem+json, and the key broker's `{type, detail}`. */
const errorSchema = z.object({
  code: z.string().optional(),
  detail: z.string().optional(),
  decision_id: z.string().optional(),
});

export function createApiClient(server: string): ApiClient {
  async function send(request: ApiRequest): Promise<ApiReply> {
    const { status, headers, bytes } = await exchange(server, request);
    if (status < 200 || status > 299) throw refusal(status, headers, bytes);
    return { headers, bytes };
  }
  return {
    send,
    text: async (request) => replyText(await send(request)),
    json: async (request, schema) => replyJson(await send(request), schema),
  };
}

/** One segment of a path. `.` and `..` would leave their place in the path, encoded or not. */
export function segment(text: string): string {
  if (text === '' || text === '.' || text === '..') {
    throw new CommandError('USAGE', `expected a name, got '${text}'`);
  }
  return encodeURIComponent(text);
}

export function jsonBody(value: unknown): NonNullable<ApiRequest['body']> {
  return { type: 'application/json', bytes: toUtf8(JSON.stringify(value)) };
}

async function exchange(
  server: string,
  request: ApiRequest,
): Promise<ApiReply & { readonly status: number }> {
  const { method, path, body, token } = request;
  try {
    const response = await fetch(new URL(path, server), {
      method,
      headers: {
        ...request.headers,
        ...(body !== undefined && { 'content-type': body.type }),
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
      },
      ...(body !== undefined && { body: new Uint8Array(body.bytes) }),
      redirect: 'error', // a credential goes to the server that was named, and nowhere else
      signal: AbortSignal.timeout(DEADLINE_MS),
    });
    const bytes = await readBounded(response, request.maxReplyBytes ?? MAX_REPLY_BYTES);
    return { status: response.status, headers: response.headers, bytes };
  } catch (cause) {
    if (cause instanceof CommandError) throw cause;
    const advice = 'start it with verigo serve, or name another with --server';
    throw new CommandError('SERVER_UNREACHABLE', `expected a reply from ${server}, got none`, {
      cause,
      advice,
    });
  }
}

async function readBounded(response: Response, limit: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  const body: AsyncIterable<Uint8Array> | null = response.body;
  for await (const chunk of body ?? []) {
    length += chunk.byteLength;
    if (length > limit) throw unexpected(`at most ${limit} bytes`, 'more');
    chunks.push(chunk);
  }
  return concatBytes(...chunks);
}

function refusal(status: number, headers: Headers, bytes: Uint8Array): ServerRefusal {
  const parsed = errorSchema.safeParse(jsonOrUndefined(bytes));
  const body = parsed.success ? parsed.data : {};
  const code = headers.get('verigo-code') ?? body.code ?? `HTTP_${status}`;
  const decisionId = headers.get('verigo-decision-id') ?? body.decision_id;
  return new ServerRefusal(
    status,
    code,
    body.detail ?? `the server answered ${status}`,
    decisionId ?? undefined,
  );
}

function jsonOrUndefined(bytes: Uint8Array): unknown {
  try {
    return parseJson(fromUtf8(bytes));
  } catch {
    return undefined; // a proxy's page: the status says enough
  }
}

/** The reply as text. Throws CommandError SERVER_REPLY_UNEXPECTED. */
export function replyText({ bytes }: ApiReply): string {
  try {
    return fromUtf8(bytes);
  } catch (cause) {
    throw unexpected('text', 'bytes that are not UTF-8', cause);
  }
}

/** The reply as a document of the given form. Throws CommandError SERVER_REPLY_UNEXPECTED. */
export function replyJson<T>(reply: ApiReply, schema: z.ZodType<T>): T {
  const text = replyText(reply);
  let document: unknown;
  try {
    document = parseJson(text);
  } catch (cause) {
    throw unexpected('JSON', 'something else', cause);
  }
  const parsed = schema.safeParse(document);
  if (!parsed.success) throw unexpected('the reply of this call', z.prettifyError(parsed.error));
  return parsed.data;
}

function unexpected(expected: string, came: string, cause?: unknown): CommandError {
  return new CommandError('SERVER_REPLY_UNEXPECTED', `expected ${expected} from the server, got ${came}`, {
    cause,
    advice: 'is --server the address of Verigo, and of this version?',
  });
}
