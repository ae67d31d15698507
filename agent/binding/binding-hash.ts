import { utf8Bytes } from '../text-encoding.ts';

/** Digests that bind runtime data into evidence, in the order in which a guest prefers them. */
export const BINDING_HASHES = ['sha256', 'sha384', 'sha512', 'sm3'] as const;
export type BindingHash = (typeof BINDING_HASHES)[number];

/** Where the server does not choose: IBM Secure Execution binds 64 bytes, every other TEE SHA-384. */
export function bindingHashOf(tee: string): BindingHash {
  return tee === 'se' ? 'sha512' : DEFAULT_BINDING_HASH;
}

export const DEFAULT_BINDING_HASH = 'sha384';

export interface Digester {
  /** What this runtime has. */
  readonly hashes: readonly BindingHash[];
  digest(hash: BindingHash, text: string): Promise<Uint8Array>;
}

const WEB_NAMES = { sha256: 'SHA-256', sha384: 'SHA-384', sha512: 'SHA-512' } as const;

/** By WebCrypto, in every runtime; SM3 is not part of it. */
export const webDigester: Digester = {
  hashes: ['sha256', 'sha384', 'sha512'],
  async digest(hash, text) {
    if (hash === 'sm3') throw new RangeError('expected a digest that WebCrypto has, got sm3');
    return new Uint8Array(await crypto.subtle.digest(WEB_NAMES[hash], utf8Bytes(text)));
  },
};
