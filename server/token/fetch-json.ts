import { concatBytes } from '../bytes/byte-strings.ts';
import { fromUtf8 } from '../bytes/encoding.ts';
import { CouldNotCheckError } from '../errors/could-not-check-error.ts';
import { parseJson } from '../json/strict-json.ts';
import { KeyError } from './token-error.ts';

export interface FetchOptions {
  readonly fetch: typeof globalThis.fetch;
  readonly timeoutMs?: number;
  /** Whoever is between us and the issuer then chooses its keys. For development only. */
  readonly dangerouslyAllowPlainHttp?: boolean;
}

const MAX_BYTES = 262_144;
const DEFAULT_TIMEOUT_MS = 5_000;
const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]']);

/** A URL to get keys from: https, or http to this very machine. Throws KeyError KEY_SOURCE_INVALID. */
export function parseKeyUrl(text: string, options: Pick<FetchOptions, 'dangerouslyAllowPlainHttp'>): URL {
  const url = URL.parse(text);
  const isAcceptable =
    url?.protocol === 'https:' ||
    (url?.protocol === 'http:' && (options.dangerouslyAllowPlainHttp === true || LOOPBACK.has(url.hostname)));
  if (url === null || !isAcceptable || url.username !== '' || url.password !== '') {
    throw new KeyError('KEY_SOURCE_INVALID', "expected an https URL without a password for an issuer's keys");
  }
  return url;
}

/**
 * Gets a small JSON document. No redirect is followed, the body is bounded and so is the time.
 * Throws CouldNotCheckError ISSUER_KEYS_UNAVAILABLE, MalformedError.
 */
export async function fetchJson(url: URL, { fetch, timeoutMs }: FetchOptions): Promise<unknown> {
  try {
    const response = await fetch(url, {
      redirect: 'error',
      headers: { accept: 'application/json' },
      signal: AbortSignal.timeout(timeoutMs ?? DEFAULT_TIMEOUT_MS),
    });
    if (response.status !== 200) {
      await response.body?.cancel();
      throw unavailable(url, `answered with status ${response.status}`);
    }
    return parseJson(fromUtf8(await readBounded(response, url)));
  } catch (cause) {
    if (cause instanceof TypeError || cause instanceof DOMException) {
      throw unavailable(url, 'does not answer', { cause });
    }
    throw cause;
  }
}

async function readBounded(response: Response, url: URL): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  const body: AsyncIterable<Uint8Array> | null = response.body;
  if (body === null) return concatBytes();
  for await (const chunk of body) {
    length += chunk.byteLength;
    if (length > MAX_BYTES) throw unavailable(url, `answered with more than ${MAX_BYTES} bytes`);
    chunks.push(chunk);
  }
  return concatBytes(...chunks);
}

function unavailable(url: URL, what: string, options?: ErrorOptions): CouldNotCheckError {
  return new CouldNotCheckError('ISSUER_KEYS_UNAVAILABLE', `${url.host} ${what}`, options);
}
