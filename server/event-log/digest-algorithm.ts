/** A digest algorithm of the logs. `name` is that of the claims, `hash` that of `node:crypto`; `size` is in bytes. */
export interface DigestAlgorithm {
  readonly id: number;
  readonly name: 'SHA-1' | 'SHA-256' | 'SHA-384' | 'SHA-512' | 'SM3';
  readonly hash: 'sha1' | 'sha256' | 'sha384' | 'sha512' | 'sm3';
  readonly size: number;
}

/** TPM 2.0 Part 2, TPM_ALG_ID. What is not in this table is refused: its digests could not be replayed. */
const ALGORITHMS: readonly DigestAlgorithm[] = [
  { id: 0x0004, name: 'SHA-1', hash: 'sha1', size: 20 },
  { id: 0x000b, name: 'SHA-256', hash: 'sha256', size: 32 },
  { id: 0x000c, name: 'SHA-384', hash: 'sha384', size: 48 },
  { id: 0x000d, name: 'SHA-512', hash: 'sha512', size: 64 },
  { id: 0x0012, name: 'SM3', hash: 'sm3', size: 32 },
];

export function findDigestAlgorithm(id: number): DigestAlgorithm | undefined {
  return ALGORITHMS.find((algorithm) => algorithm.id === id);
}
