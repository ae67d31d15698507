import { createCipheriv, createDecipheriv } from 'node:crypto';
import { concatBytes } from '../../server/bytes/byte-strings.ts';
import { CodedError } from '../../server/errors/coded-error.ts';

export type ContentCipherErrorCode =
  | 'CONTENT_KEY_LENGTH_WRONG'
  | 'CONTENT_IV_LENGTH_WRONG'
  | 'CONTENT_TRUNCATED'
  | 'CONTENT_TAMPERED';

/** Content that does not decrypt. */
export class ContentCipherError extends CodedError<ContentCipherErrorCode> {}

/** Names of RFC 7518 and, for the second, of upstream. A256CTR authenticates nothing. */
export const WRAP_TYPES = ['A256GCM', 'A256CTR'] as const;
export type WrapType = (typeof WRAP_TYPES)[number];

const KEY_BYTES = 32;
const TAG_BYTES = 16;
const IV_BYTES = { A256GCM: 12, A256CTR: 16 } as const satisfies Record<WrapType, number>;

/** Content as it travels, under a key of 32 bytes. */
export interface WrappedContent {
  readonly wrapType: WrapType;
  /** For A256GCM 12 bytes, for A256CTR the first counter block of 16. */
  readonly iv: Uint8Array;
  /** Of A256GCM, with the tag of 16 bytes at its end. */
  readonly ciphertext: Uint8Array;
}

/** Throws ContentCipherError. */
export function openContent({ wrapType, iv, ciphertext }: WrappedContent, key: Uint8Array): Uint8Array {
  requireLength('CONTENT_KEY_LENGTH_WRONG', 'a key', key, KEY_BYTES);
  requireLength('CONTENT_IV_LENGTH_WRONG', `an IV of ${wrapType}`, iv, IV_BYTES[wrapType]);
  switch (wrapType) {
    case 'A256CTR': {
      const decipher = createDecipheriv('aes-256-ctr', key, iv);
      return concatBytes(decipher.update(ciphertext), decipher.final());
    }
    case 'A256GCM':
      return openAuthenticated(ciphertext, key, iv);
  }
}

/** With a random IV chosen by the caller: never two contents under one key and IV. Throws ContentCipherError. */
export function sealContent(plaintext: Uint8Array, key: Uint8Array, iv: Uint8Array): WrappedContent {
  requireLength('CONTENT_KEY_LENGTH_WRONG', 'a key', key, KEY_BYTES);
  requireLength('CONTENT_IV_LENGTH_WRONG', 'an IV of A256GCM', iv, IV_BYTES.A256GCM);
  const cipher = createCipheriv('aes-256-gcm', key, iv, { authTagLength: TAG_BYTES });
  const encrypted = concatBytes(cipher.update(plaintext), cipher.final());
  return { wrapType: 'A256GCM', iv, ciphertext: concatBytes(encrypted, cipher.getAuthTag()) };
}

function openAuthenticated(ciphertext: Uint8Array, key: Uint8Array, iv: Uint8Array): Uint8Array {
  if (ciphertext.byteLength < TAG_BYTES) {
    throw new ContentCipherError(
      'CONTENT_TRUNCATED',
      `expected content with a tag of ${TAG_BYTES} bytes, got ${ciphertext.byteLength} bytes`,
    );
  }
  const decipher = createDecipheriv('aes-256-gcm', key, iv, { authTagLength: TAG_BYTES });
  decipher.setAuthTag(ciphertext.subarray(-TAG_BYTES));
  const opened = decipher.update(ciphertext.subarray(0, -TAG_BYTES));
  try {
    return concatBytes(opened, decipher.final());
  } catch (cause) {
    opened.fill(0); // it was decrypted, but nobody vouches for it
    throw new ContentCipherError(
      'CONTENT_TAMPERED',
      'expected content under this key as it was sealed, got another key, IV or content',
      { cause },
    );
  }
}

function requireLength(
  code: ContentCipherErrorCode,
  what: string,
  bytes: Uint8Array,
  expected: number,
): void {
  if (bytes.byteLength === expected) return;
  throw new ContentCipherError(code, `expected ${what} of ${expected} bytes, got ${bytes.byteLength}`);
}
