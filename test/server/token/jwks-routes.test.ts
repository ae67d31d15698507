import Fastify from 'fastify';
import { serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod';
import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from 'jose';
import { describe, expect, it } from 'vitest';
import { DEFAULT_EAR_ISSUER, mintEar } from '../../../server/token/ear.ts';
import { jwksRoutes } from '../../../server/token/jwks-routes.ts';
import { makeSigningKey, signingKeyFromStore } from '../../../server/token/signing-key.ts';
import { AT } from './fake-issuer.ts';

const key = signingKeyFromStore(makeSigningKey().secret);

async function app() {
  const fastify = Fastify();
  fastify.setValidatorCompiler(validatorCompiler);
  fastify.setSerializerCompiler(serializerCompiler);
  await fastify.register(jwksRoutes, {
    publishedKeys: () => [key.publicJwk],
    issuer: 'CoCo-Attestation-Service',
    publicUrl: ({ protocol, host }) => `${protocol}://${host}`,
  });
  return await fastify;
}

describe('jwksRoutes', () => {
  it('publishes keys by which any library verifies our tokens', async () => {
    const response = await (await app()).inject('/.well-known/jwks.json');
    const submodule = {
      name: 'cpu0',
      trustVector: {},
      policyId: 'default',
      policy: { name: 'default_cpu', sha384: '' },
      annotatedEvidence: {},
      extensions: {},
      isSimulated: false,
    };
    const content = { id: '1', submodules: [submodule], teePublicKey: undefined, nonce: undefined } as const;
    const token = mintEar(content, DEFAULT_EAR_ISSUER, key, AT);
    const keySet = createLocalJWKSet(response.json<JSONWebKeySet>());
    await expect(jwtVerify(token, keySet, { currentDate: AT })).resolves.toBeDefined();
    expect(response.headers['content-type']).toContain('application/json');
  });

  it('can be discovered', async () => {
    const response = await (await app()).inject({
      url: '/.well-known/openid-configuration',
      headers: { host: 'as.example' },
    });
    expect(response.json()).toMatchObject({
      issuer: 'CoCo-Attestation-Service',
      jwks_uri: 'http://as.example/.well-known/jwks.json',
      id_token_signing_alg_values_supported: ['ES256'],
    });
  });
});
