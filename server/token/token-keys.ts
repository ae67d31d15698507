import type { JsonObject } from '../claims/claims.ts';
import { makeSigningKey, type SigningKey, signingKeyFromStore } from './signing-key.ts';
import { parseVerificationKey, type VerificationKey } from './verification-key.ts';

/** A key of the server as its store gives it out, opened. */
export interface StoredKey {
  readonly id: string;
  readonly secret: Uint8Array;
  readonly publicJwk: JsonObject | undefined;
}

/** The store of the server's own keys, sealed at rest; the newest of a purpose is the one in use. */
export interface TokenKeyStore {
  loadOrCreate(purpose: 'token-signing', make: () => Promise<StoredKey>): Promise<StoredKey>;
  list(purpose: 'token-signing'): Promise<readonly StoredKey[]>;
}

/** The keys of this attestation service's tokens. */
export interface TokenKeys {
  /** The key that new tokens are signed with. */
  current(): SigningKey;
  /** Every public key whose tokens may still be valid, the current one first. */
  published(): readonly JsonObject[];
  /** The published keys, ready for verification. */
  verificationKeys(): readonly VerificationKey[];
  /** Reads the store again, after another replica has rotated the key. */
  reload(): Promise<void>;
}

interface Loaded {
  readonly current: SigningKey;
  readonly published: readonly JsonObject[];
  readonly verificationKeys: readonly VerificationKey[];
}

/**
 * Loads the signing key, made at first start, or uses the configured one; keys of the store that were used before stay
 * published, so that their tokens stay valid until they expire. Throws SigningKeyError, CouldNotCheckError.
 */
export async function createTokenKeys(
  store: TokenKeyStore,
  configured: SigningKey | undefined,
): Promise<TokenKeys> {
  let loaded = await load(store, configured);
  return {
    current: () => loaded.current,
    published: () => loaded.published,
    verificationKeys: () => loaded.verificationKeys,
    async reload() {
      loaded = await load(store, configured);
    },
  };
}

async function load(store: TokenKeyStore, configured: SigningKey | undefined): Promise<Loaded> {
  const current =
    configured ??
    signingKeyFromStore((await store.loadOrCreate('token-signing', async () => makeSigningKey())).secret);
  const previous = (await store.list('token-signing')).flatMap(({ publicJwk }) =>
    publicJwk === undefined ? [] : [publicJwk],
  );
  const byId = new Map([current.publicJwk, ...previous].map((jwk) => [jwk['kid'], jwk]));
  byId.set(current.publicJwk['kid'], current.publicJwk);
  const published = [...byId.values()];
  return { current, published, verificationKeys: published.map(parseVerificationKey) };
}
