import type { FastifyPluginAsync } from 'fastify';
import { KbsError } from './kbs-error.ts';
import { replyWithKbsError } from './kbs-error-routes.ts';
import {
  type AttestationPolicyRoutesOptions,
  attestationPolicyRoutes,
  type ResourcePolicyRoutesOptions,
  resourcePolicyRoutes,
} from './policy-routes.ts';
import { type RcarRoutesOptions, rcarRoutes } from './rcar-routes.ts';
import { type KbsReferenceValueRoutesOptions, kbsReferenceValueRoutes } from './reference-value-routes.ts';
import { type ResourceRoutesOptions, resourceRoutes } from './resource-routes.ts';

/** What a key broker serves. One without an attestation service of its own (passport only) has none of the first three. */
export interface KbsRoutesOptions {
  readonly rcar: RcarRoutesOptions | undefined;
  readonly attestationPolicy: AttestationPolicyRoutesOptions | undefined;
  readonly referenceValues: KbsReferenceValueRoutesOptions | undefined;
  readonly resourcePolicy: ResourcePolicyRoutesOptions;
  readonly resources: ResourceRoutesOptions;
}

/** Everything below `/kbs/v0`, the prefix to register it under. Whatever fails there answers in the protocol's form. */
export const kbsRoutes: FastifyPluginAsync<KbsRoutesOptions> = async (app, options) => {
  app.setErrorHandler(replyWithKbsError('PluginInternalError'));
  app.setNotFoundHandler(async (request) => {
    throw new KbsError(
      'METHOD_NOT_ALLOWED',
      `expected GET, POST, PUT or DELETE below /kbs/v0/, got ${request.method}`,
    );
  });
  app.addHook('onRequest', async (request) => {
    const encoding = request.headers['content-encoding'] ?? 'identity';
    if (encoding === 'identity') return;
    throw new KbsError(
      'CONTENT_ENCODING_UNSUPPORTED',
      'expected a body without content encoding, got an encoded one',
    );
  });
  if (options.rcar !== undefined) await app.register(rcarRoutes, options.rcar);
  if (options.attestationPolicy !== undefined) {
    await app.register(attestationPolicyRoutes, options.attestationPolicy);
  }
  if (options.referenceValues !== undefined) {
    await app.register(kbsReferenceValueRoutes, options.referenceValues);
  }
  await app.register(resourcePolicyRoutes, options.resourcePolicy);
  await app.register(resourceRoutes, options.resources);
};
