import type { FastifyPluginAsync } from 'fastify';
import type { AuthorizeAdmin } from '../admin/admin-auth.ts';
import type { Json } from '../claims/claims.ts';
import type { Clock } from '../clock.ts';
import { createAdminGate } from '../http/admin-gate.ts';
import { KbsError } from './kbs-error.ts';
import { replyWithKbsError } from './kbs-error-routes.ts';
import { parseTarget, targetPath } from './request-target.ts';

export interface KbsReferenceValueRoutesOptions {
  /** Undefined: there is none, or it has expired. */
  readonly findReferenceValue: (name: string, at: Date) => Promise<Json | undefined>;
  readonly authorize: AuthorizeAdmin;
  readonly clock: Clock;
}

/** Reference values, read through the key broker. A name may hold slashes, encoded or not. */
export const kbsReferenceValueRoutes: FastifyPluginAsync<KbsReferenceValueRoutesOptions> = async (
  app,
  options,
) => {
  const { clock } = options;
  app.setErrorHandler(replyWithKbsError('RvpsError'));
  const admin = createAdminGate(options.authorize, clock, targetPath);

  app.get(
    '/reference-value/*',
    { onRequest: admin.admit, exposeHeadRoute: false },
    async (request, reply) => {
      const name = parseTarget(request.raw.url ?? '').segments.join('/');
      const value = await options.findReferenceValue(name, clock());
      if (value === undefined) {
        throw new KbsError('REFERENCE_VALUE_NOT_FOUND', `no reference value named '${name.slice(0, 256)}'`);
      }
      return await reply.type('application/json').send(JSON.stringify(value));
    },
  );
};
