import { decode, encode } from 'jose/base64url';
import { MalformedError } from '../server/errors/malformed-error.ts';

/**
 * Text and bytes with nothing but what browsers, edge runtimes and Node have in common. What runs only in a guest takes
 * `server/bytes/`, which is faster.
 */

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();
const BASE64URL = /^[A-Za-z0-9_-]*$/;

export function utf8Bytes(text: string): Uint8Array<ArrayBuffer> {
  return encoder.encode(text);
}

/** Throws MalformedError ENCODING_MALFORMED where the bytes are not UTF-8. */
export function utf8Text(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch (cause) {
    throw malformed('UTF-8 text', bytes.byteLength, { cause });
  }
}

/** URL alphabet, without padding (RFC 4648, section 5). */
export function base64UrlText(bytes: Uint8Array): string {
  return encode(bytes);
}

/** Standard alphabet, padded (RFC 4648, section 4). */
export function base64Text(bytes: Uint8Array): string {
  const text = encode(bytes).replaceAll('-', '+').replaceAll('_', '/');
  return text.padEnd(Math.ceil(text.length / 4) * 4, '=');
}

/** Strict: no padding, no other characters, canonical. Throws MalformedError ENCODING_MALFORMED. */
export function base64UrlBytes(text: string): Uint8Array<ArrayBuffer> {
  if (!BASE64URL.test(text)) throw malformed('base64url without padding', text.length);
  let bytes: Uint8Array;
  try {
    bytes = decode(text);
  } catch (cause) {
    throw malformed('base64url without padding', text.length, { cause });
  }
  if (encode(bytes) !== text) throw malformed('canonical base64url without padding', text.length);
  return new Uint8Array(bytes);
}

function malformed(expected: string, length: number, options?: ErrorOptions): MalformedError {
  return new MalformedError(
    'ENCODING_MALFORMED',
    `expected ${expected}, got ${length} that are not`,
    options,
  );
}
