import { ClientError } from '../client-error.ts';
import { BoundedBytes } from './bounded-bytes.ts';
import type { HttpExchange, HttpReply, HttpRequest } from './exchange.ts';
import { redirectRefused, unreachable } from './exchange-failure.ts';

/** Requests by the runtime's own fetch: browsers, edge runtimes, and Node where the system's roots are what we trust. */
export function createFetchExchange(fetch: typeof globalThis.fetch): HttpExchange {
  return async (request) => {
    try {
      return await exchange(fetch, request);
    } catch (cause) {
      if (cause instanceof ClientError) throw cause;
      // A browser does not tell a refused certificate from a server that is down.
      throw unreachable(request, cause);
    }
  };
}

async function exchange(fetch: typeof globalThis.fetch, request: HttpRequest): Promise<HttpReply> {
  const response = await fetch(request.url, {
    method: request.method,
    headers: { ...request.headers },
    ...(request.body !== undefined && { body: request.body }),
    signal: request.signal,
    redirect: 'manual', // neither evidence nor a token goes anywhere but to the server that was named
    credentials: 'omit',
    cache: 'no-store',
  });
  // Browsers hide the status of a redirect that they do not follow.
  if (response.type === 'opaqueredirect' || (response.status >= 300 && response.status < 400)) {
    await response.body?.cancel();
    throw redirectRefused(request);
  }
  return {
    status: response.status,
    header: (name) => response.headers.get(name) ?? undefined,
    cookies: response.headers.getSetCookie(),
    bytes: await readBody(response, request.maxReplyBytes),
  };
}

/** By a reader, because not every browser iterates over streams. Counts what has been unpacked. */
async function readBody(response: Response, limit: number): Promise<Uint8Array> {
  const bytes = new BoundedBytes(limit);
  const body: ReadableStream<Uint8Array> | null = response.body;
  const reader = body?.getReader();
  if (reader === undefined) return bytes.whole();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return bytes.whole();
      bytes.add(value);
    }
  } finally {
    await reader.cancel();
  }
}
