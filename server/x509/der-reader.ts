import { MalformedError } from '../errors/malformed-error.ts';

const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  enumerated: 0x0a,
  ia5String: 0x16,
  sequence: 0x30,
} as const;
const CONTEXT_CONSTRUCTED = 0xa0;
/** Lengths of up to three bytes: 16 MiB, more than anything that we read. */
const MAX_LENGTH_BYTES = 3;
/** Integers beyond this (RSA moduli are not read here) have no place in the structures that we read. */
const MAX_INTEGER_BYTES = 33;
const MAX_OID_BYTES = 64;
const IA5 = /^[\x20-\x7e]*$/;

/**
 * A cursor over DER (X.690) for the little of ASN.1 that extension values need. Strict: one-byte tags, minimal definite
 * lengths, minimal integers; it never recurses, and cannot read past the end.
 * Throws MalformedError: TRUNCATED, TRAILING_BYTES, ENCODING_MALFORMED.
 */
export class DerReader {
  readonly #bytes: Uint8Array;
  #offset = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get atEnd(): boolean {
    return this.#offset === this.#bytes.byteLength;
  }

  /** Whether the next element is `[number]`, constructed. */
  isExplicit(number: number): boolean {
    return this.#bytes[this.#offset] === (CONTEXT_CONSTRUCTED | number);
  }

  isInteger(): boolean {
    return this.#bytes[this.#offset] === TAG.integer;
  }

  isBoolean(): boolean {
    return this.#bytes[this.#offset] === TAG.boolean;
  }

  sequence(): DerReader {
    return new DerReader(this.#content(TAG.sequence));
  }

  /** The content of `[number] EXPLICIT`. */
  explicit(number: number): DerReader {
    return new DerReader(this.#content(CONTEXT_CONSTRUCTED | number));
  }

  /** A SEQUENCE as it stands, with its tag and length. Shares memory with the input. */
  encodedSequence(): Uint8Array {
    const start = this.#offset;
    this.#content(TAG.sequence);
    return this.#bytes.subarray(start, this.#offset);
  }

  /** At most 33 bytes, two's complement. */
  integer(): bigint {
    return toInteger(this.#content(TAG.integer));
  }

  enumerated(): bigint {
    return toInteger(this.#content(TAG.enumerated));
  }

  boolean(): boolean {
    const content = this.#content(TAG.boolean);
    const [value] = content;
    if (content.byteLength !== 1 || (value !== 0 && value !== 0xff)) throw malformed('a BOOLEAN of 00 or ff');
    return value === 0xff;
  }

  null(): void {
    if (this.#content(TAG.null).byteLength !== 0) throw malformed('an empty NULL');
  }

  octetString(): Uint8Array {
    return this.#content(TAG.octetString);
  }

  /** A BIT STRING of whole bytes. */
  wholeBytes(): Uint8Array {
    const content = this.#content(TAG.bitString);
    if (content[0] !== 0) throw malformed('a BIT STRING of whole bytes');
    return content.subarray(1);
  }

  /** Printable ASCII, which is all that IA5String carries here. */
  ia5String(): string {
    const text = String.fromCharCode(...this.#content(TAG.ia5String).subarray(0, 1024));
    if (!IA5.test(text)) throw malformed('an IA5String of printable ASCII');
    return text;
  }

  /** Dotted decimal. */
  oid(): string {
    return toDotted(this.#content(TAG.oid));
  }

  /** Asserts that the input is used up. */
  end(): void {
    if (this.atEnd) return;
    const left = this.#bytes.byteLength - this.#offset;
    throw new MalformedError('TRAILING_BYTES', `expected the end of the DER value, got ${left} more bytes`);
  }

  #content(tag: number): Uint8Array {
    const actual = this.#byte();
    if (actual !== tag) throw malformed(`DER tag 0x${hex(tag)}`, `0x${hex(actual)}`);
    const length = this.#length();
    const start = this.#offset;
    if (length > this.#bytes.byteLength - start) {
      throw new MalformedError(
        'TRUNCATED',
        `expected a DER value of ${length} bytes, got ${this.#bytes.byteLength - start}`,
      );
    }
    this.#offset = start + length;
    return this.#bytes.subarray(start, this.#offset);
  }

  #length(): number {
    const first = this.#byte();
    if (first < 0x80) return first;
    const count = first & 0x7f;
    if (count === 0 || count > MAX_LENGTH_BYTES) throw malformed('a definite DER length below 16 MiB');
    let length = 0;
    for (let read = 0; read < count; read++) length = length * 256 + this.#byte();
    if (length < 0x80 || length < 256 ** (count - 1)) throw malformed('a DER length in its shortest form');
    return length;
  }

  #byte(): number {
    const byte = this.#bytes[this.#offset];
    if (byte === undefined) throw new MalformedError('TRUNCATED', 'expected a DER element, got the end');
    this.#offset++;
    return byte;
  }
}

function toInteger(content: Uint8Array): bigint {
  const [first, second = 0] = content;
  if (first === undefined || content.byteLength > MAX_INTEGER_BYTES) {
    throw malformed(`an INTEGER of 1 to ${MAX_INTEGER_BYTES} bytes`, `${content.byteLength}`);
  }
  const isPadded = content.byteLength > 1 && first === (second < 0x80 ? 0x00 : 0xff);
  if (isPadded) throw malformed('an INTEGER in its shortest form');
  let value = first >= 0x80 ? -1n : 0n;
  for (const byte of content) value = (value << 8n) | BigInt(byte);
  return value;
}

function toDotted(content: Uint8Array): string {
  if (content.byteLength === 0 || content.byteLength > MAX_OID_BYTES)
    throw malformed('an OID of 1 to 64 bytes');
  const arcs: bigint[] = [];
  let arc = 0n;
  let isInside = false;
  for (const byte of content) {
    if (!isInside && byte === 0x80) throw malformed('an OID in its shortest form');
    arc = (arc << 7n) | BigInt(byte & 0x7f);
    isInside = byte >= 0x80;
    if (isInside) continue;
    arcs.push(arc);
    arc = 0n;
  }
  const [first = 0n, ...others] = arcs;
  if (isInside) throw malformed('an OID that ends');
  const root = first < 80n ? first / 40n : 2n;
  return [root, first - root * 40n, ...others].join('.');
}

function malformed(expected: string, came = 'another form'): MalformedError {
  return new MalformedError('ENCODING_MALFORMED', `expected ${expected}, got ${came}`);
}

function hex(byte: number): string {
  return byte.toString(16).padStart(2, '0');
}
