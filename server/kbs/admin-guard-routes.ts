import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Administrator, AuthorizeAdmin } from '../admin/admin-auth.ts';
import type { Clock } from '../clock.ts';
import { parseTarget } from './request-target.ts';

const ADMINISTRATOR = 'kbsAdministrator';

/** Lets only administrators through, before a body is read. */
export interface AdminGuard {
  /** An `onRequest` hook. Throws AdminError. */
  readonly admit: (request: FastifyRequest) => Promise<void>;
  /** Who was let through. */
  readonly administratorOf: (request: FastifyRequest) => Administrator;
}

/** The path that is authorised is the decoded one that the routes act on, never the raw target with its query. */
export function createAdminGuard(app: FastifyInstance, authorize: AuthorizeAdmin, clock: Clock): AdminGuard {
  app.decorateRequest(ADMINISTRATOR, null);
  return {
    async admit(request) {
      const { path } = parseTarget(request.raw.url ?? '');
      const administrator = await authorize({ authorization: request.headers.authorization, path }, clock());
      request.setDecorator(ADMINISTRATOR, administrator);
    },
    administratorOf: (request) => request.getDecorator<Administrator>(ADMINISTRATOR),
  };
}
