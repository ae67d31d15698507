import { MalformedError } from '../errors/malformed-error.ts';

/**
 * A little-endian cursor over bytes that cannot read past their end. Every method advances.
 * Throws MalformedError: TRUNCATED, RESERVED_NOT_ZERO, TRAILING_BYTES.
 */
export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #offset = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get offset(): number {
    return this.#offset;
  }

  get remaining(): number {
    return this.#bytes.byteLength - this.#offset;
  }

  u8(): number {
    return this.#view.getUint8(this.#advance(1));
  }

  u16le(): number {
    return this.#view.getUint16(this.#advance(2), true);
  }

  u16be(): number {
    return this.#view.getUint16(this.#advance(2), false);
  }

  u32le(): number {
    return this.#view.getUint32(this.#advance(4), true);
  }

  u32be(): number {
    return this.#view.getUint32(this.#advance(4), false);
  }

  u64le(): bigint {
    return this.#view.getBigUint64(this.#advance(8), true);
  }

  u64be(): bigint {
    return this.#view.getBigUint64(this.#advance(8), false);
  }

  /** A view of the next `length` bytes; shares memory with the input. */
  bytes(length: number): Uint8Array {
    const start = this.#advance(length);
    return this.#bytes.subarray(start, start + length);
  }

  /** A cursor of its own over the next `length` bytes. */
  nested(length: number): ByteReader {
    return new ByteReader(this.bytes(length));
  }

  /** Passes over `length` bytes that the specification reserves; they must be zero. */
  reserved(length: number): void {
    const start = this.#offset;
    const index = this.bytes(length).findIndex((byte) => byte !== 0);
    if (index !== -1) {
      throw new MalformedError(
        'RESERVED_NOT_ZERO',
        `expected reserved byte 0x${(start + index).toString(16)} to be 0`,
      );
    }
  }

  /** Asserts that the input is used up. */
  end(): void {
    if (this.remaining !== 0) {
      throw new MalformedError(
        'TRAILING_BYTES',
        `expected the end at 0x${this.#offset.toString(16)}, got ${this.remaining} more bytes`,
      );
    }
  }

  #advance(length: number): number {
    const start = this.#offset;
    if (!Number.isInteger(length) || length < 0 || length > this.remaining) {
      throw new MalformedError(
        'TRUNCATED',
        `expected ${length} bytes at 0x${start.toString(16)}, got ${this.remaining}`,
      );
    }
    this.#offset = start + length;
    return start;
  }
}
