import type { z } from 'zod';
import { fromBase64, fromBase64Url, fromUtf8, toUtf8 } from '../../../server/bytes/encoding.ts';
import { isCodedError } from '../../../server/errors/coded-error.ts';
import { parseJson } from '../../../server/json/strict-json.ts';
import { ClientError, type ClientErrorCode } from '../../client-error.ts';
import { type AttemptOptions, withAttempts } from '../../http/attempts.ts';
import type { HttpReply, HttpRequest } from '../../http/exchange.ts';
import { refusalOf, type Server } from '../../http/server.ts';
import { KmsError, type KmsErrorCode } from './kms.ts';

/** A service that drivers speak to over HTTP. */
export interface KmsService {
  /** As messages call it. */
  readonly name: string;
  readonly server: Server;
  readonly attempts?: AttemptOptions | undefined;
  /** What a refusal means where its status does not say it; KMS_UNAVAILABLE: it is worth another attempt. */
  readonly refusalOf?: (reply: HttpReply) => KmsErrorCode | undefined;
}

export interface KmsRequest {
  /** Begins with a slash; holds no secret. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Sent by POST; absent: GET. An object is sent as JSON. */
  readonly body?: object | Uint8Array<ArrayBuffer>;
  /** Nobody waits any more. */
  readonly signal?: AbortSignal | undefined;
}

/** A function makes it anew for each attempt, of services that take what is signed only once. */
export type KmsRequestOrMaker = KmsRequest | (() => KmsRequest);

/** Callers of the hub wait for 50 seconds, in which a key broker may be asked too. */
const USUAL_ATTEMPTS: AttemptOptions = {
  deadlineMilliseconds: 20_000,
  attemptMilliseconds: 8_000,
  retries: 2,
  firstPauseMilliseconds: 250,
};
/** Secrets have at most 64 KiB with all of these services. */
const MAX_REPLY_BYTES = 1 << 20;

const CODE_OF: ReadonlyMap<ClientErrorCode, KmsErrorCode> = new Map([
  ['CERTIFICATE_UNTRUSTED', 'KMS_UNTRUSTED'],
  ['PIN_MISMATCH', 'KMS_UNTRUSTED'],
  ['REDIRECT_REFUSED', 'KMS_UNTRUSTED'],
  ['REPLY_TOO_LARGE', 'KMS_ANSWER_MALFORMED'],
]);

/**
 * One request until it is answered. A service that is down, overloaded or broken is asked again, one that says no is not: the
 * operations of drivers may all be repeated. Throws KmsError KMS_UNAVAILABLE, KMS_UNTRUSTED, KMS_DENIED, KMS_NOT_FOUND,
 * KMS_REQUEST_REFUSED, KMS_ANSWER_MALFORMED.
 */
export async function callKms(service: KmsService, request: KmsRequestOrMaker): Promise<HttpReply> {
  try {
    return await withAttempts(
      async (signal) => await attempt(service, typeof request === 'function' ? request() : request, signal),
      service.attempts ?? USUAL_ATTEMPTS,
    );
  } catch (cause) {
    if (!(cause instanceof ClientError)) throw cause;
    const code = CODE_OF.get(cause.code) ?? 'KMS_UNAVAILABLE';
    throw new KmsError(
      code,
      `${service.name}: expected an answer that can be used, got none (${cause.code})`,
      {
        cause,
      },
    );
  }
}

/** As callKms, of replies in JSON. */
export async function callKmsJson<T>(
  service: KmsService,
  request: KmsRequestOrMaker,
  schema: z.ZodType<T>,
): Promise<T> {
  const { bytes } = await callKms(service, request);
  const parsed = schema.safeParse(answered(service, () => parseJson(fromUtf8(bytes))));
  if (parsed.success) return parsed.data;
  throw answerMalformed(service.name, parsed.error.issues[0]?.path.join('.'));
}

/** Throws KmsError KMS_ANSWER_MALFORMED. */
export function answeredBytes(
  service: Pick<KmsService, 'name'>,
  text: string,
  encoding: 'base64' | 'base64url' = 'base64',
): Uint8Array {
  return answered(service, () => (encoding === 'base64' ? fromBase64(text) : fromBase64Url(text)));
}

export function answerMalformed(name: string, member = ''): KmsError {
  const expected = member === '' ? 'an answer of its protocol' : `'${member}' as its protocol has it`;
  return new KmsError('KMS_ANSWER_MALFORMED', `${name}: expected ${expected}, got something else`);
}

/** `application/x-www-form-urlencoded`, of token endpoints. */
export function formBody(members: Readonly<Record<string, string>>): Pick<KmsRequest, 'headers' | 'body'> {
  return {
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new Uint8Array(toUtf8(new URLSearchParams(members).toString())),
  };
}

async function attempt(service: KmsService, request: KmsRequest, signal: AbortSignal): Promise<HttpReply> {
  const { signal: waiting = signal } = request;
  if (waiting.aborted) throw givenUp(service);
  const { server } = service;
  try {
    const reply = await server.exchange({
      ...contentOf(request),
      url: server.baseUrl + request.path,
      headers: headersOf(service, request),
      maxReplyBytes: MAX_REPLY_BYTES,
      signal: AbortSignal.any([signal, waiting]),
    });
    if (reply.status >= 200 && reply.status < 300) return reply;
    throw failureOf(service, reply);
  } catch (error) {
    if (request.signal?.aborted === true) throw givenUp(service);
    throw error;
  }
}

function contentOf({ body }: KmsRequest): Pick<HttpRequest, 'method' | 'body'> {
  if (body === undefined) return { method: 'GET' };
  const bytes = body instanceof Uint8Array ? body : toUtf8(JSON.stringify(body));
  return { method: 'POST', body: new Uint8Array(bytes) };
}

function headersOf({ server }: KmsService, { body, headers }: KmsRequest): HttpRequest['headers'] {
  return {
    accept: 'application/json',
    ...(server.userAgent !== undefined && { 'user-agent': server.userAgent }),
    ...(body !== undefined && !(body instanceof Uint8Array) && { 'content-type': 'application/json' }),
    ...headers,
  };
}

/** The service's words stay out of it: some repeat what they were sent. */
function failureOf(service: KmsService, reply: HttpReply): ClientError | KmsError {
  const message = `${service.name} answered ${reply.status}`;
  const code = service.refusalOf?.(reply) ?? codeOfStatus(reply.status);
  if (code !== 'KMS_UNAVAILABLE') return new KmsError(code, message);
  const { status, serverCode, decisionId, retryAfterSeconds } = refusalOf(reply);
  return new ClientError('SERVER_FAILED', message, {
    statement: { status, serverCode, decisionId, retryAfterSeconds },
  });
}

function codeOfStatus(status: number): KmsErrorCode {
  if (status === 408 || status === 429 || status >= 500) return 'KMS_UNAVAILABLE';
  if (status === 401 || status === 403) return 'KMS_DENIED';
  return status === 404 ? 'KMS_NOT_FOUND' : 'KMS_REQUEST_REFUSED';
}

function givenUp({ name }: KmsService): KmsError {
  return new KmsError('KMS_UNAVAILABLE', `${name}: expected an answer while somebody waits for it, got none`);
}

function answered<T>({ name }: Pick<KmsService, 'name'>, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!isCodedError(error)) throw error;
    throw answerMalformed(name); // no cause: it may tell of a secret
  }
}
