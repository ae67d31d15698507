import { createHash } from 'node:crypto';
import type { TpmError } from './tpm-error.ts';

/** A hash of a TPM by the name that `node:crypto` knows it by. */
export type TpmHash = 'sha1' | 'sha256' | 'sha384' | 'sha512';

/** TPM 2.0 Part 2, TPM_ALG_ID: the hashes that banks of PCRs use. */
const ALGORITHMS: Readonly<Record<TpmHash, number>> = {
  sha1: 0x0004,
  sha256: 0x000b,
  sha384: 0x000c,
  sha512: 0x000d,
};
const HASHES = Object.keys(ALGORITHMS) as readonly TpmHash[];
const DIGEST_BYTES: Readonly<Record<TpmHash, number>> = { sha1: 20, sha256: 32, sha384: 48, sha512: 64 };

/** The hash with this TPM_ALG_ID; otherwise what `refuse` makes of its number in hex is thrown. */
export function hashOf(algorithm: number, refuse: (name: string) => TpmError): TpmHash {
  const hash = HASHES.find((each) => ALGORITHMS[each] === algorithm);
  if (hash === undefined) throw refuse(`algorithm 0x${algorithm.toString(16).padStart(4, '0')}`);
  return hash;
}

export function digestBytes(hash: TpmHash): number {
  return DIGEST_BYTES[hash];
}

export function digest(hash: TpmHash, ...parts: readonly Uint8Array[]): Uint8Array {
  const hasher = createHash(hash);
  for (const part of parts) hasher.update(part);
  return hasher.digest();
}

/** The TPM_ALG_ID of a hash. */
export function algorithmOf(hash: TpmHash): number {
  return ALGORITHMS[hash];
}
