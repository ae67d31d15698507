import { createLocalJWKSet, errors, type JSONWebKeySet, jwtVerify } from 'jose';
import { z } from 'zod';
import type { JsonObject } from '../claims/claims.ts';
import { jsonObjectSchema } from './api-documents.ts';
import { CommandError } from './command-error.ts';

/** Signatures only: a key set is public, so nothing that is checked with a shared secret can be believed. */
const ALGORITHMS = ['ES256', 'ES384', 'RS256', 'RS384', 'PS256', 'PS384', 'EdDSA'];
const MAX_KEYS = 64;

export const jwksSchema = z.object({
  keys: z
    .array(z.looseObject({ kty: z.string() }))
    .min(1)
    .max(MAX_KEYS),
});

/**
 * The claims of a token that one of the keys signed and that is valid at `at`. A key inside the token's own header
 * is never believed. Throws CommandError TOKEN_NOT_VALID.
 */
export async function verifyToken(token: string, jwks: JSONWebKeySet, at: Date): Promise<JsonObject> {
  let reason: unknown;
  // One key at a time: tokens of some makers name none, and jose refuses to choose among several.
  for (const candidate of jwks.keys) {
    try {
      const { payload } = await jwtVerify(token, createLocalJWKSet({ keys: [candidate] }), {
        algorithms: ALGORITHMS,
        currentDate: at,
        requiredClaims: ['exp'],
      });
      return jsonObjectSchema.parse(payload);
    } catch (error) {
      if (!(error instanceof errors.JOSEError)) throw error;
      if (!saysNothingYet(error)) throw notValid(error);
      reason = error;
    }
  }
  throw notValid(reason);
}

/** Another key of the set may still fit. */
function saysNothingYet(error: unknown): boolean {
  return error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWSSignatureVerificationFailed;
}

function notValid(cause: unknown): CommandError {
  const why = cause instanceof errors.JOSEError ? cause.message : "no key of the set is its maker's";
  return new CommandError('TOKEN_NOT_VALID', `expected a valid token, got one that is not: ${why}`, {
    cause,
  });
}
