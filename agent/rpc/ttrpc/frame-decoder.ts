import { type Frame, type FrameHeader, HEADER_BYTES, MAX_PAYLOAD_BYTES, readHeader } from './frame.ts';

const NOTHING = new Uint8Array();

/**
 * Cuts a stream of bytes into frames. What it keeps is bounded by the chunk it was given last and the one payload that it
 * is filling, and for that it asks. Every sequence of bytes is a sequence of frames, so there is nothing to throw.
 */
export class FrameDecoder {
  readonly #admit: (length: number) => boolean;
  readonly #headerBytes = new Uint8Array(HEADER_BYTES);
  #headerFilled = 0;
  #filling: { readonly header: FrameHeader; readonly payload: Uint8Array } | undefined;
  #payloadFilled = 0;
  /** Bytes of a refused payload that have still to pass. */
  #refused = 0;
  #chunk: Uint8Array = NOTHING;

  /** `admit` is asked once for each payload of at most 4 MiB; without its leave the payload is passed over. */
  constructor(admit: (length: number) => boolean) {
    this.#admit = admit;
  }

  /** Whether a frame has begun whose last byte has not come. */
  get isMidFrame(): boolean {
    return this.#headerFilled > 0 || this.#filling !== undefined || this.#refused > 0;
  }

  /** Bytes for which `admit` gave leave and that no frame has delivered yet. */
  get admittedBytes(): number {
    return this.#filling?.payload.byteLength ?? 0;
  }

  /** Takes the bytes that came. What came before must have been used up: `next` returned `undefined`. */
  push(chunk: Uint8Array): void {
    this.#chunk = chunk;
  }

  /**
   * The next frame; `undefined` once that needs more bytes. One whose payload is refused is returned as soon as its header
   * is there, since nobody should have to send 4 GiB to hear that it is too much.
   */
  next(): Frame | undefined {
    this.#refused -= this.#take(this.#refused).byteLength;
    if (this.#filling === undefined) {
      const header = this.#takeHeader();
      if (header === undefined) return undefined;
      if (header.length > MAX_PAYLOAD_BYTES || !this.#admit(header.length)) {
        this.#refused = header.length;
        return { ...header, payload: undefined };
      }
      this.#filling = { header, payload: new Uint8Array(header.length) };
      this.#payloadFilled = 0;
    }
    return this.#fill(this.#filling);
  }

  #takeHeader(): FrameHeader | undefined {
    const part = this.#take(HEADER_BYTES - this.#headerFilled);
    this.#headerBytes.set(part, this.#headerFilled);
    this.#headerFilled += part.byteLength;
    if (this.#headerFilled < HEADER_BYTES) return undefined;
    this.#headerFilled = 0;
    return readHeader(this.#headerBytes);
  }

  #fill(filling: { readonly header: FrameHeader; readonly payload: Uint8Array }): Frame | undefined {
    const { header, payload } = filling;
    const part = this.#take(header.length - this.#payloadFilled);
    payload.set(part, this.#payloadFilled);
    this.#payloadFilled += part.byteLength;
    if (this.#payloadFilled < header.length) return undefined;
    this.#filling = undefined;
    return { ...header, payload };
  }

  #take(length: number): Uint8Array {
    const part = this.#chunk.subarray(0, length);
    this.#chunk = this.#chunk.subarray(part.byteLength);
    return part;
  }
}
