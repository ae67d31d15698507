import type { CryptoKey } from 'jose';
import { z } from 'zod';
import type { JsonObject } from '../../server/claims/claims.ts';
import { TeeKeyError } from './tee-key-error.ts';

/** By the names that the Attestation Agent's configuration gives them (`tee_key_algorithm`). */
export const TEE_KEY_ALGORITHMS = ['ECDH-ES+A256KW-P256', 'ECDH-ES+A256KW-P521', 'RSA-OAEP-256'] as const;
export type TeeKeyAlgorithm = (typeof TEE_KEY_ALGORITHMS)[number];

/** A key pair of the guest: evidence and tokens are bound to its public half, resources are sealed to it. */
export interface TeeKey {
  readonly algorithm: TeeKeyAlgorithm;
  /** As upstream's guests write it: `kty`, `alg`, then `crv`, `x`, `y` or `n`, `e`, in base64url. */
  readonly publicJwk: JsonObject;
  readonly privateKey: CryptoKey;
}

/** Upstream's size; a larger one is slower to make and no server asks for it. */
const RSA_BITS = 2048;
/** RFC 7518, section 4.3: SHA-256, also where OpenSSL's own default is SHA-1. */
const RSA_OAEP = { name: 'RSA-OAEP', hash: 'SHA-256' } as const;
const EC_CURVES = { 'ECDH-ES+A256KW-P256': 'P-256', 'ECDH-ES+A256KW-P521': 'P-521' } as const;

/** Members of a private key that we read, as RFC 7518, section 6, has them. */
const ecJwkSchema = z.object({
  kty: z.literal('EC'),
  crv: z.enum(['P-256', 'P-521']),
  x: z.string(),
  y: z.string(),
  d: z.string(),
});
const rsaJwkSchema = z.object({
  kty: z.literal('RSA'),
  n: z.string().min((RSA_BITS / 8) * (4 / 3)),
  e: z.string(),
  d: z.string(),
  p: z.string(),
  q: z.string(),
  dp: z.string(),
  dq: z.string(),
  qi: z.string(),
});
const privateJwkSchema = z.discriminatedUnion('kty', [ecJwkSchema, rsaJwkSchema]);
type PrivateJwk = z.output<typeof privateJwkSchema>;

/** Reads the algorithm's name out of a configuration. Throws TeeKeyError TEE_KEY_ALGORITHM_UNSUPPORTED. */
export function parseTeeKeyAlgorithm(name: string): TeeKeyAlgorithm {
  const known = TEE_KEY_ALGORITHMS.find((algorithm) => algorithm === name);
  if (known !== undefined) return known;
  const why = name.startsWith('ML-KEM-')
    ? 'which has no settled form as a PEM key or in JOSE yet'
    : 'which is unknown';
  throw new TeeKeyError(
    'TEE_KEY_ALGORITHM_UNSUPPORTED',
    `expected a TEE key for ${TEE_KEY_ALGORITHMS.join(', ')}, got '${name.slice(0, 32)}', ${why}`,
  );
}

/** Makes a key pair. By WebCrypto, so in every runtime; it can be exported, because guests hand it on with their token. */
export async function createTeeKey(algorithm: TeeKeyAlgorithm = 'ECDH-ES+A256KW-P256'): Promise<TeeKey> {
  const { privateKey } = await generate(algorithm);
  return teeKeyOf(privateKey, privateJwkSchema.parse(await crypto.subtle.exportKey('jwk', privateKey)));
}

/** Takes up a private key that was exported as a JWK. Throws TeeKeyError TEE_KEY_MALFORMED. */
export async function importTeeKey(jwk: unknown): Promise<TeeKey> {
  const parsed = privateJwkSchema.safeParse(jwk);
  // The issues are left out: they may repeat the key.
  if (!parsed.success) throw malformed();
  try {
    return teeKeyOf(await importPrivateJwk(parsed.data), parsed.data);
  } catch (cause) {
    if (cause instanceof DOMException) throw malformed();
    throw cause;
  }
}

async function generate(algorithm: TeeKeyAlgorithm): Promise<{ readonly privateKey: CryptoKey }> {
  if (algorithm === 'RSA-OAEP-256') {
    const publicExponent = Uint8Array.of(1, 0, 1);
    const settings = { ...RSA_OAEP, modulusLength: RSA_BITS, publicExponent };
    return await crypto.subtle.generateKey(settings, true, ['encrypt', 'decrypt']);
  }
  return await crypto.subtle.generateKey({ name: 'ECDH', namedCurve: EC_CURVES[algorithm] }, true, [
    'deriveBits',
  ]);
}

async function importPrivateJwk(jwk: PrivateJwk): Promise<CryptoKey> {
  return jwk.kty === 'EC'
    ? await crypto.subtle.importKey('jwk', jwk, { name: 'ECDH', namedCurve: jwk.crv }, true, ['deriveBits'])
    : await crypto.subtle.importKey('jwk', jwk, RSA_OAEP, true, ['decrypt']);
}

function teeKeyOf(privateKey: CryptoKey, jwk: PrivateJwk): TeeKey {
  if (jwk.kty === 'RSA') {
    const { kty, n, e } = jwk;
    return { algorithm: 'RSA-OAEP-256', publicJwk: { kty, alg: 'RSA-OAEP-256', n, e }, privateKey };
  }
  const { kty, crv, x, y } = jwk;
  return {
    algorithm: crv === 'P-256' ? 'ECDH-ES+A256KW-P256' : 'ECDH-ES+A256KW-P521',
    publicJwk: { kty, crv, alg: 'ECDH-ES+A256KW', x, y },
    privateKey,
  };
}

function malformed(): TeeKeyError {
  return new TeeKeyError(
    'TEE_KEY_MALFORMED',
    'expected a private key on P-256 or P-521, or of RSA with 2048 bits or more, got something else',
  );
}
