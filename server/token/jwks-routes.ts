import type { FastifyPluginAsync } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { JsonObject } from '../claims/claims.ts';

export interface JwksRoutesOptions {
  readonly publishedKeys: () => readonly JsonObject[];
  /** The `iss` of the tokens. */
  readonly issuer: string;
  /** The URL under which clients reach this service, without a trailing slash. */
  readonly publicUrl: (request: { readonly protocol: string; readonly host: string }) => string;
}

/** Long enough to spare requests, short enough for a rotation to be seen. */
const CACHE_CONTROL = 'public, max-age=60';

const jsonObject = z.custom<JsonObject>((value) => value !== null && typeof value === 'object');
const keySetSchema = z.object({ keys: z.array(jsonObject) });
const discoverySchema = z.object({
  issuer: z.string(),
  jwks_uri: z.string(),
  id_token_signing_alg_values_supported: z.array(z.string()),
  response_types_supported: z.array(z.string()),
  subject_types_supported: z.array(z.string()),
});

/** How any JWT library finds the keys of our tokens: RFC 7517 and OpenID Connect Discovery 1.0. */
export const jwksRoutes: FastifyPluginAsync<JwksRoutesOptions> = async (fastify, options) => {
  const app = fastify.withTypeProvider<ZodTypeProvider>();

  app.get(
    '/.well-known/jwks.json',
    { schema: { response: { 200: keySetSchema } } },
    async (_request, reply) => {
      return await reply.header('cache-control', CACHE_CONTROL).send({ keys: [...options.publishedKeys()] });
    },
  );

  app.get(
    '/.well-known/openid-configuration',
    { schema: { response: { 200: discoverySchema } } },
    async (request, reply) => {
      return await reply.header('cache-control', CACHE_CONTROL).send({
        issuer: options.issuer,
        jwks_uri: `${options.publicUrl(request)}/.well-known/jwks.json`,
        id_token_signing_alg_values_supported: ['ES256'],
        response_types_supported: ['none'],
        subject_types_supported: ['public'],
      });
    },
  );
};
