import { toUtf8 } from '../../server/bytes/encoding.ts';
import type { RequestTarget } from './request-target.ts';
import { RestError } from './rest-error.ts';

export interface RestRequest extends RequestTarget {
  readonly method: string;
  /** Aborted when nobody waits for the reply any more. */
  readonly signal: AbortSignal;
  /** Bounded. Throws RestError BODY_TOO_LARGE. */
  readonly readBody: () => Promise<Uint8Array>;
}

/** A reply of status 200. */
export interface RestReply {
  readonly contentType: 'application/json' | 'application/octet-stream';
  readonly body: Uint8Array;
}

export interface Route {
  readonly method: 'GET' | 'POST';
  /** The whole path, or with a slash at its end what a path begins with. */
  readonly path: string;
  readonly answer: (request: RestRequest) => Promise<RestReply>;
}

export function bytesReply(body: Uint8Array): RestReply {
  return { contentType: 'application/octet-stream', body };
}

export function jsonReply(document: object): RestReply {
  return { contentType: 'application/json', body: toUtf8(JSON.stringify(document)) };
}

/** Throws RestError PATH_NOT_FOUND, METHOD_NOT_ALLOWED. */
export function chooseRoute(routes: readonly Route[], { method, path }: RestRequest): Route {
  const there = routes.filter((route) =>
    route.path.endsWith('/') ? path.startsWith(route.path) : path === route.path,
  );
  if (there.length === 0) throw new RestError('PATH_NOT_FOUND', 'expected a path of this front, got another');
  const chosen = there.find((route) => route.method === method);
  if (chosen !== undefined) return chosen;
  const allowed = there.map((route) => route.method).join(', ');
  throw new RestError('METHOD_NOT_ALLOWED', `expected ${allowed} there, got another method`, { allowed });
}
