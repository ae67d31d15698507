import { bytesEqual, padTo } from '../../server/bytes/byte-strings.ts';

export type InitDataBinding =
  | { readonly result: 'bound' }
  /** The host launched this guest with other init data, or none. Nothing of what it was given may be believed. */
  | { readonly result: 'mismatch'; readonly reason: string }
  /** The TEE has no field for it; what the guest was given is not proven. */
  | { readonly result: 'unsupported'; readonly reason: string };

/** Bytes of SHA-384 and SHA-512: launchers cut them to a shorter field, and the server compares them cut. */
const LONGER_DIGESTS: ReadonlySet<number> = new Set([48, 64]);

/**
 * Compares the digest with a field that the host filled in at launch: padded with zeros where it is shorter, cut where it
 * is the longer digest of SHA-384 or SHA-512. Nothing else is cut.
 */
export function compareWithField(digest: Uint8Array, field: Uint8Array, name: string): InitDataBinding {
  const fits = LONGER_DIGESTS.has(digest.byteLength) ? digest.subarray(0, field.byteLength) : digest;
  const expected = padTo(fits, field.byteLength);
  // No digest at all would be padded to the zeros of a field that nobody filled in.
  if (digest.byteLength > 0 && expected !== undefined && bytesEqual(expected, field)) {
    return { result: 'bound' };
  }
  return {
    result: 'mismatch',
    reason: `expected ${name} to be the init data digest (${digest.byteLength} bytes), got another value`,
  };
}
