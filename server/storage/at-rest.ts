import { concatBytes } from '../bytes/byte-strings.ts';
import { fromHex, toHex } from '../bytes/encoding.ts';
import type { Clock } from '../clock.ts';
import { createDataKeyRepository, type DataKey } from './data-key-repository.ts';
import type { Db } from './database.ts';
import type { MasterKey } from './master-key.ts';
import { decrypt, encrypt, SealedValueError } from './sealed-value.ts';

/** Encrypts what must not lie in the database in the clear: AES-256-GCM under data keys that the master key wraps. */
export interface AtRest {
  /** `context` names the row and is authenticated: a sealed value moved to another row does not open. */
  seal(plaintext: Uint8Array, context: string): Promise<Uint8Array>;
  open(sealed: Uint8Array, context: string): Promise<Uint8Array>;
}

/** First byte of every sealed value. */
const VERSION = 1;
const KEY_ID_BYTES = 16;
const HEADER_BYTES = 1 + KEY_ID_BYTES;
/** A key may seal 2^32 values (see sealed-value.ts): that is 49,000 a second for a day. */
const DATA_KEY_MAX_AGE_MS = 24 * 60 * 60 * 1000;

/**
 * A sealed value is `version (1) | data key id (16) | iv (12) | tag (16) | ciphertext`. Values are sealed under the
 * newest data key; a new one is made each day on which something is sealed. Making the first one here, under a lock,
 * decides which master key the database belongs to.
 * Throws MasterKeyError MASTER_KEY_WRONG, SealedValueError, CouldNotCheckError STORAGE_UNAVAILABLE.
 */
export async function createAtRest(db: Db, masterKey: MasterKey, clock: Clock): Promise<AtRest> {
  const repository = createDataKeyRepository(db, masterKey, clock);
  let newest = await repository.newestOrCreate(DATA_KEY_MAX_AGE_MS);
  const known = new Map((await repository.list()).map((key) => [key.id, key]));

  const sealingKey = async (): Promise<DataKey> => {
    if (clock().getTime() - newest.createdAt.getTime() >= DATA_KEY_MAX_AGE_MS) {
      newest = await repository.newestOrCreate(DATA_KEY_MAX_AGE_MS);
      known.set(newest.id, newest);
    }
    return newest;
  };

  const openingKey = async (id: string): Promise<DataKey> => {
    const key = known.get(id) ?? (await repository.find(id)); // another replica may have made it just now
    if (key === undefined) {
      throw new SealedValueError(
        'DATA_KEY_UNKNOWN',
        `expected a value sealed under a data key of ours, got ${id}`,
      );
    }
    known.set(id, key);
    return key;
  };

  return {
    async seal(plaintext, context) {
      const { id, key } = await sealingKey();
      const keyId = fromHex(id.replaceAll('-', ''));
      return concatBytes(Uint8Array.of(VERSION), keyId, encrypt(key, plaintext, valueContext(id, context)));
    },
    async open(sealed, context) {
      if (sealed[0] !== VERSION || sealed.byteLength < HEADER_BYTES) {
        throw new SealedValueError(
          'SEALED_VALUE_MALFORMED',
          `expected a sealed value of version ${VERSION}, got ${sealed.byteLength} bytes of version ${sealed[0] ?? 'none'}`,
        );
      }
      const id = toUuid(sealed.subarray(1, HEADER_BYTES));
      const { key } = await openingKey(id);
      return decrypt(key, sealed.subarray(HEADER_BYTES), valueContext(id, context));
    },
  };
}

/** The header is authenticated with the context: nothing of a sealed value can be altered unseen. */
function valueContext(keyId: string, context: string): string {
  return `verigo sealed ${VERSION} ${keyId} ${context}`;
}

function toUuid(bytes: Uint8Array): string {
  return toHex(bytes).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
