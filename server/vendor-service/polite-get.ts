import {
  BrokenCircuitError,
  BulkheadRejectedError,
  bulkhead,
  ConsecutiveBreaker,
  circuitBreaker,
  DelegateBackoff,
  handleType,
  type IRetryBackoffContext,
  retry,
  wrap,
} from 'cockatiel';
import { LRUCache } from 'lru-cache';
import { concatBytes } from '../bytes/byte-strings.ts';
import { CodedError } from '../errors/coded-error.ts';
import { CouldNotCheckError } from '../errors/could-not-check-error.ts';

/** How long we wait for a service, and how often we ask. Milliseconds. */
export interface Patience {
  readonly fetch: typeof globalThis.fetch;
  /** For one attempt, and for all of them together. */
  readonly attemptMilliseconds?: number;
  readonly deadlineMilliseconds?: number;
  readonly retries?: number;
  readonly firstRetryMilliseconds?: number;
  /** How long nothing at all is asked after several requests in a row had no usable answer. */
  readonly pauseMilliseconds?: number;
}

export interface Question<Answer> {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly maxBytes: number;
  /** For messages: what is asked for. */
  readonly what: string;
  /** What the answer says. A CodedError tells that it is not what was asked for. */
  readonly read: (body: Uint8Array, headers: Headers) => Answer;
}

export type PoliteGet = <Answer>(question: Question<Answer>, at: Date) => Promise<Answer>;

const CONCURRENT_REQUESTS = 4;
const WAITING_REQUESTS = 64;
const FAILURES_BEFORE_PAUSE = 5;
const DEFAULTS = { attempt: 4000, deadline: 10_000, retries: 2, firstRetry: 200, pause: 10_000 } as const;
/** How long we do not ask again after an answer, in seconds. */
const QUIET = { refused: 300, unusable: 30, unavailable: 5, tooMany: 30, mostThatItMayAsk: 600 } as const;
/** A service that asks for no more than this is waited for within the request. */
const SHORT_WAIT_SECONDS = 2;
const EVERYTHING = '*';
const MAX_REMEMBERED_FAILURES = 10_000;

/** Worth another attempt: no answer, or a failure of the service itself. */
class TransientError extends Error {
  /** How long the service asked us to wait. */
  readonly retryAfterSeconds: number | undefined;

  constructor(message: string, options: ErrorOptions & { retryAfterSeconds?: number } = {}) {
    super(message, options);
    this.retryAfterSeconds = options.retryAfterSeconds;
  }
}

/** An answer that will not change soon. */
class RefusedError extends Error {
  readonly quietSeconds: number;
  /** Whether it concerns all that we ask, not this one URL. */
  readonly isForAll: boolean;

  constructor(message: string, quietSeconds: number, options: ErrorOptions & { isForAll?: boolean } = {}) {
    super(message, options);
    this.quietSeconds = quietSeconds;
    this.isForAll = options.isForAll ?? false;
  }
}

/** A time in which we do not ask. It has a beginning, so that a clock that is set back does not prolong it. */
interface Quiet {
  readonly from: number;
  readonly until: number;
}

/**
 * GET with bounds on time, size and concurrency, that never follows a redirect. It remembers failures, so that neither
 * a guest nor an attacker makes us ask again and again, and pauses when the service does not answer at all.
 * Every failure is CouldNotCheckError COLLATERAL_UNAVAILABLE or OVERLOADED. `service` names it in messages.
 */
export function createPoliteGet(service: string, patience: Patience): PoliteGet {
  const send = createSender(patience);
  const quiets = new LRUCache<string, Quiet>({ max: MAX_REMEMBERED_FAILURES });
  const isQuiet = (key: string, now: number): boolean => {
    const quiet = quiets.get(key);
    return quiet !== undefined && quiet.from <= now && now < quiet.until;
  };
  return async (question, at) => {
    const now = at.getTime();
    const key = question.url.href;
    if (isQuiet(EVERYTHING, now) || isQuiet(key, now)) {
      throw unavailable(service, question.what, 'it failed a moment ago and is left alone for now');
    }
    try {
      return await send(question, at);
    } catch (cause) {
      if (cause instanceof BulkheadRejectedError) {
        throw new CouldNotCheckError('OVERLOADED', `too many requests to ${service} at once`, { cause });
      }
      const { seconds, isForAll } = quietAfter(cause);
      quiets.set(isForAll ? EVERYTHING : key, { from: now, until: now + seconds * 1000 });
      throw unavailable(service, question.what, reasonOf(cause), cause);
    }
  };
}

function quietAfter(cause: unknown): { readonly seconds: number; readonly isForAll: boolean } {
  if (cause instanceof RefusedError) return { seconds: cause.quietSeconds, isForAll: cause.isForAll };
  if (cause instanceof TransientError && cause.retryAfterSeconds !== undefined) {
    return { seconds: QUIET.tooMany, isForAll: true };
  }
  return { seconds: cause instanceof BrokenCircuitError ? 0 : QUIET.unavailable, isForAll: false };
}

function reasonOf(cause: unknown): string {
  if (cause instanceof BrokenCircuitError) return `${FAILURES_BEFORE_PAUSE} requests in a row failed`;
  return cause instanceof TransientError || cause instanceof RefusedError
    ? cause.message
    : 'no answer in time';
}

function createSender(patience: Patience): <Answer>(question: Question<Answer>, at: Date) => Promise<Answer> {
  const attempts = retry(handleType(TransientError), {
    maxAttempts: patience.retries ?? DEFAULTS.retries,
    backoff: new DelegateBackoff((context: IRetryBackoffContext<unknown>) =>
      delayBefore(context, patience.firstRetryMilliseconds ?? DEFAULTS.firstRetry),
    ),
  });
  const breaker = circuitBreaker(handleType(TransientError), {
    halfOpenAfter: patience.pauseMilliseconds ?? DEFAULTS.pause,
    breaker: new ConsecutiveBreaker(FAILURES_BEFORE_PAUSE),
  });
  const policy = wrap(bulkhead(CONCURRENT_REQUESTS, WAITING_REQUESTS), breaker, attempts);
  return async (question, at) =>
    await policy.execute(
      async ({ signal }) => await getOnce(question, at, signal, patience),
      AbortSignal.timeout(patience.deadlineMilliseconds ?? DEFAULTS.deadline),
    );
}

/** What the service asked for, else twice as long each time with some jitter, so that replicas do not ask in step. */
function delayBefore({ attempt, result }: IRetryBackoffContext<unknown>, first: number): number {
  const error = 'error' in result ? result.error : undefined;
  if (error instanceof TransientError && error.retryAfterSeconds !== undefined) {
    return error.retryAfterSeconds * 1000;
  }
  return first * 2 ** (attempt - 1) * (1 + Math.random() / 2);
}

async function getOnce<Answer>(
  question: Question<Answer>,
  at: Date,
  signal: AbortSignal,
  patience: Patience,
): Promise<Answer> {
  const timeout = AbortSignal.timeout(patience.attemptMilliseconds ?? DEFAULTS.attempt);
  let answer: { readonly body: Uint8Array; readonly headers: Headers };
  try {
    const response = await patience.fetch(question.url, {
      signal: AbortSignal.any([signal, timeout]),
      redirect: 'error',
      headers: question.headers,
    });
    if (response.status !== 200) {
      await response.body?.cancel();
      throw failureOf(response, at);
    }
    answer = { body: await readBounded(response, question.maxBytes), headers: response.headers };
  } catch (cause) {
    if (cause instanceof TransientError || cause instanceof RefusedError) throw cause;
    throw new TransientError('no usable answer in time', { cause });
  }
  return readAnswer(question, answer.body, answer.headers);
}

function readAnswer<Answer>({ read }: Question<Answer>, body: Uint8Array, headers: Headers): Answer {
  try {
    return read(body, headers);
  } catch (cause) {
    if (!(cause instanceof CodedError)) throw cause;
    throw new RefusedError(`something else (${cause.message})`, QUIET.unusable, { cause });
  }
}

function failureOf(response: Response, at: Date): Error {
  const message = `status ${response.status}`;
  if (response.status >= 500) return new TransientError(message);
  if (response.status !== 429) return new RefusedError(message, QUIET.refused);
  const seconds = retryAfterSeconds(response.headers.get('retry-after'), at) ?? QUIET.tooMany;
  if (seconds <= SHORT_WAIT_SECONDS) return new TransientError(message, { retryAfterSeconds: seconds });
  return new RefusedError(message, Math.min(seconds, QUIET.mostThatItMayAsk), { isForAll: true });
}

/** RFC 9110, section 10.2.3: seconds, or a date. */
function retryAfterSeconds(header: string | null, at: Date): number | undefined {
  if (header === null) return undefined;
  const seconds = /^[0-9]{1,9}$/.test(header)
    ? Number(header)
    : Math.ceil((Date.parse(header) - at.getTime()) / 1000);
  return Number.isFinite(seconds) && seconds > 0 ? seconds : undefined;
}

/** Counts what has been unpacked, so that neither a false length nor compression gets past the bound. */
async function readBounded(response: Response, maxBytes: number): Promise<Uint8Array> {
  const body: ReadableStream<Uint8Array> | null = response.body;
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of body ?? []) {
    length += chunk.byteLength;
    if (length > maxBytes) throw new RefusedError(`more than ${maxBytes} bytes`, QUIET.refused);
    chunks.push(chunk);
  }
  return concatBytes(...chunks);
}

function unavailable(service: string, what: string, reason: string, cause?: unknown): CouldNotCheckError {
  return new CouldNotCheckError(
    'COLLATERAL_UNAVAILABLE',
    `expected ${what} from ${service}, got none: ${reason}`,
    { cause },
  );
}
