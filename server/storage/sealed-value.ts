import { createCipheriv, createDecipheriv, type KeyObject, randomFillSync } from 'node:crypto';
import { concatBytes } from '../bytes/byte-strings.ts';
import { toUtf8 } from '../bytes/encoding.ts';
import { CodedError } from '../errors/coded-error.ts';

export type SealedValueErrorCode = 'SEALED_VALUE_MALFORMED' | 'SEALED_VALUE_TAMPERED' | 'DATA_KEY_UNKNOWN';

/** What the database holds is not what we put there: altered, moved to another row, or of another database. */
export class SealedValueError extends CodedError<SealedValueErrorCode> {}

const IV_BYTES = 12;
const TAG_BYTES = 16;

/**
 * AES-256-GCM (NIST SP 800-38D) with a random IV: `iv (12) | tag (16) | ciphertext`. A key may encrypt up to 2^32
 * values so (section 8.3); whoever owns the key sees to that.
 */
export function encrypt(key: KeyObject, plaintext: Uint8Array, context: string): Uint8Array {
  const iv = randomFillSync(new Uint8Array(IV_BYTES));
  const cipher = createCipheriv('aes-256-gcm', key, iv, { authTagLength: TAG_BYTES });
  cipher.setAAD(toUtf8(context));
  const ciphertext = concatBytes(cipher.update(plaintext), cipher.final());
  return concatBytes(iv, cipher.getAuthTag(), ciphertext);
}

/** The reverse. Throws SealedValueError SEALED_VALUE_MALFORMED, SEALED_VALUE_TAMPERED. */
export function decrypt(key: KeyObject, encrypted: Uint8Array, context: string): Uint8Array {
  if (encrypted.byteLength < IV_BYTES + TAG_BYTES) {
    throw new SealedValueError(
      'SEALED_VALUE_MALFORMED',
      `expected at least ${IV_BYTES + TAG_BYTES} encrypted bytes, got ${encrypted.byteLength}`,
    );
  }
  const decipher = createDecipheriv('aes-256-gcm', key, encrypted.subarray(0, IV_BYTES), {
    authTagLength: TAG_BYTES,
  });
  decipher.setAAD(toUtf8(context));
  decipher.setAuthTag(encrypted.subarray(IV_BYTES, IV_BYTES + TAG_BYTES));
  const plaintext = decipher.update(encrypted.subarray(IV_BYTES + TAG_BYTES));
  try {
    return concatBytes(plaintext, decipher.final());
  } catch (cause) {
    throw new SealedValueError(
      'SEALED_VALUE_TAMPERED',
      'expected a value that was sealed here for this place, got one that its key does not authenticate',
      { cause },
    );
  }
}
