import type { Buffer } from 'node:buffer';
import type { FastifyPluginAsync, FastifyRequest } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { AuthorizeAdmin } from '../admin/admin-auth.ts';
import type { Clock } from '../clock.ts';
import { createAdminGate } from '../http/admin-gate.ts';
import { sealedResourceSchema } from '../protocol/sealed-resource.ts';
import { parseResourcePath, type ResourcePath } from '../resources/resource-path.ts';
import { KbsError } from './kbs-error.ts';
import { replyWithKbsError } from './kbs-error-routes.ts';
import type { ManageResource } from './manage-resource.ts';
import type { ReleaseResource } from './release-resource.ts';
import { readRawBody } from './request-body.ts';
import { type KbsTarget, parseQuery, parseTarget, targetPath } from './request-target.ts';

export interface ResourceRoutesOptions {
  readonly release: ReleaseResource;
  readonly manage: ManageResource;
  readonly authorize: AuthorizeAdmin;
  /** The largest resource that may be put, in bytes. */
  readonly maxResourceBytes: number;
  readonly clock: Clock;
}

/** No body at all is a resource of no bytes. */
const contentSchema = z.instanceof(Uint8Array).optional();

/**
 * `/kbs/v0/<plugin>/…`, of whose plugins there is one: `resource`. One route for all of it, because a path is decoded
 * completely before it is split, which a router does the other way round.
 */
export const resourceRoutes: FastifyPluginAsync<ResourceRoutesOptions> = async (fastify, options) => {
  const app = fastify.withTypeProvider<ZodTypeProvider>();
  const { clock, manage } = options;
  app.setErrorHandler(replyWithKbsError('PluginInternalError'));
  app.removeAllContentTypeParsers();
  app.addContentTypeParser<Buffer>(
    '*',
    { parseAs: 'buffer', bodyLimit: options.maxResourceBytes },
    readRawBody,
  );
  app.addHook('onRequest', async (request) => {
    pluginTarget(request);
  });
  const admin = createAdminGate(options.authorize, clock, targetPath);

  app.get(
    '/*',
    { exposeHeadRoute: false, schema: { response: { 200: sealedResourceSchema } } },
    async (request, reply) => {
      const { cookie, authorization } = request.headers;
      const query = parseQuery(request.raw.url ?? '');
      const asked = { cookie, authorization, path: pathOf(request), query };
      const { sealed, decisionId } = await options.release(asked, clock());
      return await reply
        .header('cache-control', 'no-store')
        .header('verigo-decision-id', decisionId)
        .send(sealed);
    },
  );

  app.post('/*', { onRequest: admin.admit, schema: { body: contentSchema } }, async (request, reply) => {
    const content = request.body ?? new Uint8Array();
    const id = await manage.put(admin.administratorOf(request), pathOf(request), content, clock());
    return await reply.header('verigo-decision-id', id).send();
  });

  app.delete('/*', { onRequest: admin.admit }, async (request, reply) => {
    const id = await manage.delete(admin.administratorOf(request), pathOf(request), clock());
    return await reply.header('verigo-decision-id', id).send();
  });

  app.put('/*', async () => {
    throw new KbsError('METHOD_NOT_ALLOWED', 'expected GET, POST or DELETE, got PUT');
  });
};

function pluginTarget(request: FastifyRequest): KbsTarget {
  const target = parseTarget(request.raw.url ?? '');
  if (target.plugin === 'resource') return target;
  throw new KbsError('PLUGIN_NOT_FOUND', 'expected a path below /kbs/v0/resource/, got another');
}

function pathOf(request: FastifyRequest): ResourcePath {
  return parseResourcePath(pluginTarget(request).segments);
}
