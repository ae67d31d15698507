import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { z } from 'zod';
import { fromUtf8 } from '../../../server/bytes/encoding.ts';
import { isCodedError } from '../../../server/errors/coded-error.ts';
import { parseJson } from '../../../server/json/strict-json.ts';
import { SealedSecretError } from './sealed-secret-error.ts';

/** More is no key. */
export const MAX_KEY_BYTES = 16_384;

/** A JWK (RFC 7517), with whatever else its maker put there; but not one that is meant for something else. */
const jwkSchema = z.object({
  kty: z.literal('EC'),
  crv: z.literal('P-256'),
  x: z.base64url().max(64),
  y: z.base64url().max(64),
  d: z.base64url().max(64).optional(),
  alg: z.literal('ES256').optional(),
  use: z.literal('sig').optional(),
});
type Jwk = z.output<typeof jwkSchema>;

/** A key pair as files hold it; `privateText` is a secret. */
export interface SigningKeyTexts {
  readonly privateText: string;
  readonly publicText: string;
}

/** A new key, in the form of upstream's `secret keygen`. */
export function createSigningKey(kid: string): SigningKeyTexts {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { x, y, d } = privateKey.export({ format: 'jwk' });
  const publicJwk = { kty: 'EC', crv: 'P-256', alg: 'ES256', use: 'sig', kid, x, y };
  return {
    privateText: `${JSON.stringify({ ...publicJwk, d }, undefined, 2)}\n`,
    publicText: `${JSON.stringify(publicJwk, undefined, 2)}\n`,
  };
}

/** The key that verifies, of a JWK. Throws SealedSecretError SIGNING_KEY_MALFORMED. */
export function parseVerificationKey(text: Uint8Array): KeyObject {
  const { kty, crv, x, y } = parseJwk(text);
  return imported(() => createPublicKey({ key: { kty, crv, x, y }, format: 'jwk' }));
}

/** The key that signs, of a JWK with `d`. Throws SealedSecretError SIGNING_KEY_MALFORMED. */
export function parseSigningKey(text: Uint8Array): KeyObject {
  const { kty, crv, x, y, d } = parseJwk(text);
  if (d === undefined) throw malformed();
  return imported(() => createPrivateKey({ key: { kty, crv, x, y, d }, format: 'jwk' }));
}

function parseJwk(text: Uint8Array): Jwk {
  if (text.byteLength > MAX_KEY_BYTES) throw malformed();
  let document: unknown;
  try {
    document = parseJson(fromUtf8(text));
  } catch (error) {
    if (!isCodedError(error)) throw error;
    throw malformed(); // no cause: it may tell of a private key
  }
  const parsed = jwkSchema.safeParse(document);
  if (!parsed.success) throw malformed();
  return parsed.data;
}

function imported(run: () => KeyObject): KeyObject {
  try {
    return run();
  } catch {
    throw malformed(); // a point that is not on the curve
  }
}

function malformed(): SealedSecretError {
  return new SealedSecretError(
    'SIGNING_KEY_MALFORMED',
    'expected a JWK of P-256 for ES256 signatures, got something else',
  );
}
