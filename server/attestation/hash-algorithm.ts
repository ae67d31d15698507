import { createHash } from 'node:crypto';

/** The digests that runtime data and init data may be bound with. */
export const HASH_ALGORITHMS = ['sha256', 'sha384', 'sha512', 'sm3'] as const;
export type HashAlgorithm = (typeof HASH_ALGORITHMS)[number];

export function isHashAlgorithm(name: string): name is HashAlgorithm {
  return (HASH_ALGORITHMS as readonly string[]).includes(name);
}

export function digest(algorithm: HashAlgorithm, data: string | Uint8Array): Uint8Array {
  return createHash(algorithm).update(data).digest();
}
