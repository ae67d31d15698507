/** The cells of the board. */
const EVALUATION = 0;
const STEPS = 1;

/** Two readings with the same `step` mean that the worker has been at it all the time in between. */
export interface Progress {
  readonly step: number;
  /** The evaluation that is being carried out; 0 when there is none. */
  readonly evaluation: number;
}

/**
 * Where a worker says what it is doing, in memory that both threads see, so that an evaluation that hangs can be told
 * from those that wait behind it.
 */
export class ProgressBoard {
  readonly memory: SharedArrayBuffer;
  readonly #cells: Int32Array<SharedArrayBuffer>;

  constructor(memory: SharedArrayBuffer = new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT)) {
    this.memory = memory;
    this.#cells = new Int32Array(memory);
  }

  /** Called by the worker before each evaluation. */
  begin(evaluation: number): void {
    Atomics.store(this.#cells, EVALUATION, evaluation);
    Atomics.add(this.#cells, STEPS, 1);
  }

  /** Called by the worker when it waits for more. */
  rest(): void {
    this.begin(0);
  }

  read(): Progress {
    return {
      step: Atomics.load(this.#cells, STEPS),
      evaluation: Atomics.load(this.#cells, EVALUATION),
    };
  }
}
