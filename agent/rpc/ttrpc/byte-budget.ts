/**
 * How many bytes of others we keep at a time: requests that are read or worked on, answers that are not sent. It is
 * shared by all connections, since one process's memory is what has to be bounded.
 */
export class ByteBudget {
  #left: number;

  constructor(bytes: number) {
    this.#left = bytes;
  }

  /** Whether the bytes were there to be taken. */
  take(bytes: number): boolean {
    if (bytes > this.#left) return false;
    this.#left -= bytes;
    return true;
  }

  giveBack(bytes: number): void {
    this.#left += bytes;
  }
}
