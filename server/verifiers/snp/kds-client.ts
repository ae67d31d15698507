import { BulkheadRejectedError, bulkhead, ExponentialBackoff, handleType, retry, wrap } from 'cockatiel';
import { LRUCache } from 'lru-cache';
import { concatBytes } from '../../bytes/byte-strings.ts';
import { toHex } from '../../bytes/encoding.ts';
import { CouldNotCheckError } from '../../errors/could-not-check-error.ts';
import type { ProductLine } from './product.ts';
import type { SnpTcb } from './tcb.ts';

/** AMD's key distribution service, or a mirror of it. */
export interface KdsOptions {
  /** `https://kdsintf.amd.com`, or where a mirror answers the same paths. */
  readonly baseUrl: string;
  readonly fetch: typeof globalThis.fetch;
  /** For one attempt, and for all of them together. */
  readonly attemptMilliseconds?: number;
  readonly deadlineMilliseconds?: number;
  readonly retries?: number;
  readonly firstRetryMilliseconds?: number;
}

export interface KdsClient {
  /** The DER of the VCEK for a chip (64 bytes as in the report) and TCB. Unverified. */
  fetchVcek(product: ProductLine, chipId: Uint8Array, tcb: SnpTcb, at: Date): Promise<Uint8Array>;
  /** The DER of the root's revocation list. Unverified. */
  fetchRevocationList(product: ProductLine, at: Date): Promise<Uint8Array>;
}

/** Real answers: 1.4 KiB and below 100 KiB. */
const MAX_CERTIFICATE_BYTES = 16_384;
const MAX_LIST_BYTES = 1 << 20;
const CONCURRENT_REQUESTS = 4;
const WAITING_REQUESTS = 64;
const DEFAULTS = { attempt: 4000, deadline: 10_000, retries: 2, firstRetry: 200 } as const;
/** How long we leave the service alone after an answer, in seconds. */
const QUIET = { refused: 300, unavailable: 5, tooMany: 30, mostThatItMayAsk: 600 } as const;
/** Not a path of the service. */
const EVERYTHING = '*';
const MAX_REMEMBERED_FAILURES = 10_000;
/** Turin's hardware id; the rest of its chip id is zero. */
const TURIN_ID_BYTES = 8;

/** Worth another attempt: no answer, or a failure of the service itself. */
class TransientKdsError extends Error {}

/** An answer that will not change soon. */
class RefusedByKdsError extends Error {
  readonly quietSeconds: number;
  /** Whether it concerns all that we ask, not this one path. */
  readonly isForAll: boolean;

  constructor(message: string, quietSeconds: number, isForAll = false) {
    super(message);
    this.quietSeconds = quietSeconds;
    this.isForAll = isForAll;
  }
}

/**
 * A client of the key service (AMD 57230, VCEK and KDS interface). Bounded in time, size and concurrency; never follows
 * a redirect; leaves a service alone that said no or "too many". The caller verifies what comes and shares one flight a key.
 * Every failure is CouldNotCheckError COLLATERAL_UNAVAILABLE or OVERLOADED.
 */
export function createKdsClient(options: KdsOptions): KdsClient {
  const get = createPoliteGet(options);
  return {
    async fetchVcek(product, chipId, tcb, at) {
      return await get(vcekPath(product, chipId, tcb), MAX_CERTIFICATE_BYTES, at);
    },
    async fetchRevocationList(product, at) {
      return await get(`vcek/v1/${product}/crl`, MAX_LIST_BYTES, at);
    },
  };
}

/** Two decimal digits a component; Turin names its chip in 8 bytes and has one component more. */
function vcekPath(product: ProductLine, chipId: Uint8Array, tcb: SnpTcb): string {
  const id = toHex(product === 'Turin' ? chipId.subarray(0, TURIN_ID_BYTES) : chipId);
  const digits = (value: number): string => value.toString().padStart(2, '0');
  const fmc = tcb.fmc === undefined ? '' : `fmcSPL=${digits(tcb.fmc)}&`;
  const rest = `blSPL=${digits(tcb.bootloader)}&teeSPL=${digits(tcb.tee)}&snpSPL=${digits(tcb.snp)}`;
  return `vcek/v1/${product}/${id}?${fmc}${rest}&ucodeSPL=${digits(tcb.microcode)}`;
}

type Get = (path: string, maxBytes: number, at: Date) => Promise<Uint8Array>;

/** A time in which we do not ask. It has a beginning, so that a clock that is set back does not prolong it. */
interface Quiet {
  readonly from: number;
  readonly until: number;
}

/** Remembers failures, so that neither a guest nor an attacker makes us ask again and again. */
function createPoliteGet(options: KdsOptions): Get {
  const send = createSender(options);
  const quiets = new LRUCache<string, Quiet>({ max: MAX_REMEMBERED_FAILURES });
  const isQuiet = (key: string, now: number): boolean => {
    const quiet = quiets.get(key);
    return quiet !== undefined && quiet.from <= now && now < quiet.until;
  };
  return async (path, maxBytes, at) => {
    const now = at.getTime();
    if (isQuiet(EVERYTHING, now) || isQuiet(path, now)) {
      throw unavailable('it failed a moment ago and is left alone for now');
    }
    try {
      return await send(path, maxBytes);
    } catch (cause) {
      if (cause instanceof BulkheadRejectedError) {
        throw new CouldNotCheckError('OVERLOADED', 'too many requests to the AMD key service at once', {
          cause,
        });
      }
      const isRefused = cause instanceof RefusedByKdsError;
      const seconds = isRefused ? cause.quietSeconds : QUIET.unavailable;
      quiets.set(isRefused && cause.isForAll ? EVERYTHING : path, { from: now, until: now + seconds * 1000 });
      throw unavailable(cause instanceof Error ? cause.message : 'no answer', cause);
    }
  };
}

function createSender(options: KdsOptions): (path: string, maxBytes: number) => Promise<Uint8Array> {
  const base = options.baseUrl.endsWith('/') ? options.baseUrl : `${options.baseUrl}/`;
  const attempts = retry(handleType(TransientKdsError), {
    maxAttempts: options.retries ?? DEFAULTS.retries,
    backoff: new ExponentialBackoff({ initialDelay: options.firstRetryMilliseconds ?? DEFAULTS.firstRetry }),
  });
  const policy = wrap(bulkhead(CONCURRENT_REQUESTS, WAITING_REQUESTS), attempts);
  return async (path, maxBytes) =>
    await policy.execute(
      async ({ signal }) => await getOnce(new URL(path, base), maxBytes, signal, options),
      AbortSignal.timeout(options.deadlineMilliseconds ?? DEFAULTS.deadline),
    );
}

async function getOnce(
  url: URL,
  maxBytes: number,
  signal: AbortSignal,
  options: KdsOptions,
): Promise<Uint8Array> {
  const timeout = AbortSignal.timeout(options.attemptMilliseconds ?? DEFAULTS.attempt);
  try {
    const response = await options.fetch(url, {
      signal: AbortSignal.any([signal, timeout]),
      redirect: 'error',
      headers: { accept: 'application/octet-stream, application/pkix-cert, application/pkix-crl' },
    });
    if (response.status === 200) return await readBounded(response, maxBytes);
    await response.body?.cancel();
    throw failureOf(response);
  } catch (cause) {
    if (cause instanceof TransientKdsError || cause instanceof RefusedByKdsError) throw cause;
    throw new TransientKdsError('no usable answer in time', { cause });
  }
}

function failureOf(response: Response): Error {
  const message = `status ${response.status}`;
  if (response.status >= 500) return new TransientKdsError(message);
  if (response.status !== 429) return new RefusedByKdsError(message, QUIET.refused);
  const asked = Number(response.headers.get('retry-after') ?? Number.NaN);
  const seconds = Number.isFinite(asked) && asked > 0 ? asked : QUIET.tooMany;
  return new RefusedByKdsError(message, Math.min(seconds, QUIET.mostThatItMayAsk), true);
}

/** Counts what has been unpacked, so that neither a false length nor compression gets past the bound. */
async function readBounded(response: Response, maxBytes: number): Promise<Uint8Array> {
  const body: ReadableStream<Uint8Array> | null = response.body;
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of body ?? []) {
    length += chunk.byteLength;
    if (length > maxBytes) throw new RefusedByKdsError(`more than ${maxBytes} bytes`, QUIET.refused);
    chunks.push(chunk);
  }
  return concatBytes(...chunks);
}

function unavailable(reason: string, cause?: unknown): CouldNotCheckError {
  return new CouldNotCheckError(
    'COLLATERAL_UNAVAILABLE',
    `expected an answer of the AMD key service, got none: ${reason}`,
    { cause },
  );
}
