import type { JsonWebKey, KeyObject } from 'node:crypto';
import { sized, u16, u32 } from './tpm-quote.ts';

/** Everything about a public area that a test may want wrong. */
export interface FakePublicOptions {
  readonly type?: number;
  readonly nameHash?: number;
  readonly attributes?: number;
  readonly symmetric?: Uint8Array;
  readonly scheme?: Uint8Array;
  readonly keyBits?: number;
  readonly exponent?: number;
  readonly curve?: number;
  readonly y?: Uint8Array;
  /** Of the TPM2B. */
  readonly size?: number;
}

/** fixedTPM, fixedParent, sensitiveDataOrigin, userWithAuth, restricted, sign. */
export const AK_ATTRIBUTES = 0x0005_0072;
const CURVES: Readonly<Record<string, number>> = { 'P-256': 3, 'P-384': 4 };
const NULL = Uint8Array.of(0, 0x10);

/** TPM2B_PUBLIC of an attestation key. Written apart from the server's reader, so that one checks the other. */
export function encodeFakePublic(key: KeyObject, options: FakePublicOptions = {}): Uint8Array {
  const jwk = key.export({ format: 'jwk' }) as Required<JsonWebKey>;
  const isRsa = jwk.kty === 'RSA';
  const area = Buffer.concat([
    u16(options.type ?? (isRsa ? 0x0001 : 0x0023)),
    u16(options.nameHash ?? 0x000b),
    u32(options.attributes ?? AK_ATTRIBUTES),
    sized(new Uint8Array()), // authPolicy
    options.symmetric ?? NULL,
    isRsa ? rsaParts(jwk, options) : eccParts(jwk, options),
  ]);
  return Buffer.concat([u16(options.size ?? area.byteLength), area]);
}

function rsaParts(jwk: Required<JsonWebKey>, options: FakePublicOptions): Uint8Array {
  const modulus = Buffer.from(jwk.n, 'base64url');
  return Buffer.concat([
    options.scheme ?? Uint8Array.of(0, 0x14, 0, 0x0b),
    u16(options.keyBits ?? 8 * modulus.byteLength),
    u32(options.exponent ?? 0),
    sized(modulus),
  ]);
}

function eccParts(jwk: Required<JsonWebKey>, options: FakePublicOptions): Uint8Array {
  return Buffer.concat([
    options.scheme ?? Uint8Array.of(0, 0x18, 0, 0x0b),
    u16(options.curve ?? CURVES[jwk.crv] ?? 0),
    NULL, // kdf
    sized(Buffer.from(jwk.x, 'base64url')),
    sized(options.y ?? Buffer.from(jwk.y, 'base64url')),
  ]);
}
