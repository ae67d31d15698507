/** Tells when something that has begun does not go on. */
export class StallTimer {
  readonly #milliseconds: number;
  readonly #onStall: () => void;
  #timer: NodeJS.Timeout | undefined;

  constructor(milliseconds: number, onStall: () => void) {
    this.#milliseconds = milliseconds;
    this.#onStall = onStall;
  }

  /** Starts waiting; one that waits already goes on. */
  start(): void {
    this.#timer ??= setTimeout(this.#onStall, this.#milliseconds);
  }

  /** It goes on: waits anew, where it waits. */
  refresh(): void {
    this.#timer?.refresh();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
