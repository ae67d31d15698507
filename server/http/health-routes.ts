import type { FastifyPluginAsync } from 'fastify';
import { CouldNotCheckError } from '../errors/could-not-check-error.ts';

export interface HealthRoutesOptions {
  /** Throws when the replica cannot serve. */
  readonly checkReady: () => Promise<void>;
}

/** `/healthz` and `/livez`: the process answers. `/readyz`: it can serve, the database included. */
export const healthRoutes: FastifyPluginAsync<HealthRoutesOptions> = async (app, { checkReady }) => {
  app.get('/healthz', async (_request, reply) => await reply.code(200).send());
  app.get('/livez', async (_request, reply) => await reply.code(200).send());
  app.get('/readyz', async (_request, reply) => {
    try {
      await checkReady();
    } catch (cause) {
      throw new CouldNotCheckError('STORAGE_UNAVAILABLE', 'the database does not answer', { cause });
    }
    return await reply.code(200).send();
  });
};
