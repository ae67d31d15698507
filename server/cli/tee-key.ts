import { createPrivateKey, generateKeyPairSync, type JsonWebKey, type KeyObject } from 'node:crypto';
import { z } from 'zod';
import type { JsonObject } from '../claims/claims.ts';
import { CommandError } from './command-error.ts';

/** The key management that the key broker and its guests agree on for EC keys (RFC 7518, section 4.6). */
const ALGORITHM = 'ECDH-ES+A256KW';

const privateJwkSchema = z.looseObject({
  kty: z.literal('EC'),
  crv: z.string(),
  x: z.string(),
  y: z.string(),
  d: z.string(),
});

/** A key as a TEE has it: its public half goes into the evidence, resources are sealed to it. */
export interface TeeKey {
  /** With `alg`, which the broker needs; without the private part. */
  readonly publicJwk: JsonObject;
  readonly privateKey: KeyObject;
}

export function createTeeKey(): TeeKey {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { crv, x, y } = privateJwkSchema.parse(privateKey.export({ format: 'jwk' }));
  return { privateKey, publicJwk: { kty: 'EC', crv, alg: ALGORITHM, x, y } };
}

/** The private key as a JWK document, for `resource get --key`. */
export function exportTeeKey({ privateKey }: TeeKey): string {
  return `${JSON.stringify({ ...privateKey.export({ format: 'jwk' }), alg: ALGORITHM })}\n`;
}

/** Reads a private key, as JWK or as PEM (PKCS #8, SEC 1, PKCS #1). Throws CommandError INPUT_INVALID. */
export function parseTeeKey(text: string): KeyObject {
  try {
    if (!text.trimStart().startsWith('{')) return createPrivateKey(text);
    const jwk: JsonWebKey = privateJwkSchema
      .or(z.looseObject({ kty: z.literal('RSA') }))
      .parse(JSON.parse(text));
    return createPrivateKey({ key: jwk, format: 'jwk' });
  } catch {
    // The cause is left out: a JSON error repeats the text, and the text is a key.
    throw new CommandError('INPUT_INVALID', 'expected a private key as JWK or PEM, got something else');
  }
}
