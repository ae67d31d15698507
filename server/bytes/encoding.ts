import { MalformedError } from '../errors/malformed-error.ts';
import { asBuffer } from './byte-strings.ts';

const HEX = /^(?:[0-9a-fA-F]{2})*$/;
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Lower-case hex. */
export function toHex(bytes: Uint8Array): string {
  return asBuffer(bytes).toString('hex');
}

/** Lower-case hex of an unsigned integer, as a little-endian field of so many bytes holds it. */
export function toLittleEndianHex(value: number, bytes: number): string {
  return toHex(
    Uint8Array.from({ length: bytes }, (_byte, index) => Math.floor(value / 2 ** (8 * index)) & 0xff),
  );
}

/** Base64 with the standard alphabet and padding (RFC 4648, section 4). */
export function toBase64(bytes: Uint8Array): string {
  return asBuffer(bytes).toString('base64');
}

/** Base64 with the URL alphabet, without padding (RFC 4648, section 5). */
export function toBase64Url(bytes: Uint8Array): string {
  return asBuffer(bytes).toString('base64url');
}

export function toUtf8(text: string): Uint8Array {
  return Buffer.from(text, 'utf8');
}

/** Throws MalformedError ENCODING_MALFORMED when the text is not pairs of hex digits. */
export function fromHex(text: string): Uint8Array {
  if (!HEX.test(text)) throw malformed('pairs of hex digits', text);
  return Buffer.from(text, 'hex');
}

/** Strict: no padding, no other characters, canonical (no stray bits in the last one). */
export function fromBase64Url(text: string): Uint8Array {
  const bytes = Buffer.from(text, 'base64url');
  if (bytes.toString('base64url') !== text) throw malformed('canonical base64url without padding', text);
  return bytes;
}

/** Strict: standard alphabet, padded, canonical. */
export function fromBase64(text: string): Uint8Array {
  const bytes = Buffer.from(text, 'base64');
  // `node:buffer` passes over what it does not know. Encoding it again is ten times as fast as a regular expression.
  if (bytes.toString('base64') !== text) throw malformed('canonical padded base64', text);
  return bytes;
}

/** Throws MalformedError ENCODING_MALFORMED where the bytes are not UTF-8. */
export function fromUtf8(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch (cause) {
    throw new MalformedError(
      'ENCODING_MALFORMED',
      `expected UTF-8 text, got ${bytes.byteLength} bytes that are not`,
      { cause },
    );
  }
}

/** UTF-16, little-endian, half characters as they stand: `isWellFormed` tells. Throws MalformedError ENCODING_MALFORMED. */
export function fromUtf16(bytes: Uint8Array): string {
  if (bytes.byteLength % 2 === 0) return asBuffer(bytes).toString('utf16le');
  throw new MalformedError('ENCODING_MALFORMED', `expected pairs of bytes, got ${bytes.byteLength} bytes`);
}

/** How many characters padded base64 of so many bytes has. */
export function base64Length(bytes: number): number {
  return Math.ceil(bytes / 3) * 4;
}

function malformed(expected: string, text: string): MalformedError {
  return new MalformedError(
    'ENCODING_MALFORMED',
    `expected ${expected}, got ${text.length} characters that are not`,
  );
}
