import { hash, timingSafeEqual } from 'node:crypto';

/** Equality in constant time for equal lengths; different lengths are different. */
export function bytesEqual(left: Uint8Array, right: Uint8Array): boolean {
  return left.byteLength === right.byteLength && timingSafeEqual(left, right);
}

export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat(parts);
}

/** The same memory as a Buffer, for what takes nothing else. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/**
 * The expected value brought to the length of the field that carries it: shorter ones are padded with zeros.
 * Longer ones do not fit and are `undefined`: cutting them would compare less than the caller asked for.
 */
export function padTo(bytes: Uint8Array, length: number): Uint8Array | undefined {
  if (bytes.byteLength > length) return undefined;
  const padded = new Uint8Array(length);
  padded.set(bytes);
  return padded;
}

/** Whether every byte is `value`, which is so of no bytes at all. Not in constant time. */
export function isFilledWith(bytes: Uint8Array, value: number): boolean {
  if (bytes.byteLength === 0) return true;
  // Every byte equals its neighbour: one comparison of memory, ten times as fast as a loop.
  return bytes[0] === value && Buffer.compare(bytes.subarray(1), bytes.subarray(0, -1)) === 0;
}

/**
 * Whether a field carries the expected value and nothing else: shorter values are padded with zeros. A value that does
 * not fit the field cannot have been carried.
 */
export function carries(field: Uint8Array, expected: Uint8Array): boolean {
  const padded = padTo(expected, field.byteLength);
  return padded !== undefined && bytesEqual(padded, field);
}

export function sha256(bytes: Uint8Array | string): Uint8Array {
  return hash('sha256', bytes, 'buffer');
}

export function sha384(bytes: Uint8Array | string): Uint8Array {
  return hash('sha384', bytes, 'buffer');
}
