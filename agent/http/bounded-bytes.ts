import { ClientError } from '../client-error.ts';

/** Gathers what arrives, as long as it does not exceed a bound. Throws ClientError REPLY_TOO_LARGE. */
export class BoundedBytes {
  readonly #limit: number;
  readonly #chunks: Uint8Array[] = [];
  #length = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  add(chunk: Uint8Array): void {
    this.#length += chunk.byteLength;
    if (this.#length > this.#limit) {
      throw new ClientError('REPLY_TOO_LARGE', `expected a reply of at most ${this.#limit} bytes, got more`);
    }
    this.#chunks.push(chunk);
  }

  whole(): Uint8Array {
    const bytes = new Uint8Array(this.#length);
    let offset = 0;
    for (const chunk of this.#chunks) {
      bytes.set(chunk, offset);
      offset += chunk.byteLength;
    }
    return bytes;
  }
}
