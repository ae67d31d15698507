import { createHash, getHashes } from 'node:crypto';
import { BINDING_HASHES, type Digester } from './binding-hash.ts';

/** By OpenSSL, which has SM3 too where it was built with it. */
export function createNodeDigester(): Digester {
  const available = new Set(getHashes());
  return {
    hashes: BINDING_HASHES.filter((hash) => available.has(hash)),
    digest: async (hash, text) => createHash(hash).update(text).digest(),
  };
}
