import type { FastifyRequest } from 'fastify';
import type { Administrator, AuthorizeAdmin } from '../admin/admin-auth.ts';
import type { Clock } from '../clock.ts';
import { MalformedError } from '../errors/malformed-error.ts';

/** Lets administrators through, and remembers who they were for the record. */
export interface AdminGate {
  /** For an `onRequest` hook: before a body is read. Throws AdminError. */
  readonly admit: (request: FastifyRequest) => Promise<void>;
  /** Who was let through. */
  readonly administratorOf: (request: FastifyRequest) => Administrator;
}

/**
 * What is authorised is the decoded path that the routes act on, never the raw target with its query. `pathOf` says how
 * the routes behind this gate read it.
 */
export function createAdminGate(
  authorize: AuthorizeAdmin,
  clock: Clock,
  pathOf: (request: FastifyRequest) => string = decodedPath,
): AdminGate {
  const admitted = new WeakMap<FastifyRequest, Administrator>();
  return {
    async admit(request) {
      const { authorization } = request.headers;
      admitted.set(request, await authorize({ authorization, path: pathOf(request) }, clock()));
    },
    administratorOf(request) {
      const administrator = admitted.get(request);
      if (administrator === undefined) throw new Error('expected a request that was admitted');
      return administrator;
    },
  };
}

function decodedPath(request: FastifyRequest): string {
  try {
    return decodeURIComponent(new URL(request.url, 'http://localhost').pathname);
  } catch (cause) {
    throw new MalformedError('ENCODING_MALFORMED', 'expected a path that can be decoded', { cause });
  }
}
