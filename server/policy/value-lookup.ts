import type { KnownValue, LookUpReferenceValues } from './evaluation.ts';

interface Collected {
  readonly names: Set<string>;
  readonly values: Promise<ReadonlyMap<string, KnownValue>>;
}

/** Finds reference values; what is asked for at the same time is looked up at once. */
export class ValueLookup {
  readonly #lookUp: LookUpReferenceValues;
  readonly #onFound: (values: readonly KnownValue[]) => void;
  #collected: Collected | undefined;
  /** Grows with each change: what was looked up before is used for what asked, and not kept. */
  #generation = 0;

  /** `onFound` hears of values that may be kept until the next `forget`. */
  constructor(lookUp: LookUpReferenceValues, onFound: (values: readonly KnownValue[]) => void) {
    this.#lookUp = lookUp;
    this.#onFound = onFound;
  }

  /** One answer a name, absent values too. Throws what the look-up throws. */
  async find(names: readonly string[]): Promise<readonly KnownValue[]> {
    const { names: all, values } = (this.#collected ??= this.#collect());
    for (const name of names) all.add(name);
    const found = await values;
    return names.map((name) => found.get(name) ?? { name, json: undefined, expiresAt: undefined });
  }

  forget(): void {
    this.#generation += 1;
  }

  #collect(): Collected {
    const names = new Set<string>();
    const values = new Promise<void>((resolve) => setImmediate(resolve)).then(async () => {
      this.#collected = undefined;
      return await this.#load([...names]);
    });
    return { names, values };
  }

  async #load(names: readonly string[]): Promise<ReadonlyMap<string, KnownValue>> {
    const generation = this.#generation;
    const answers = await this.#lookUp(names);
    const known = names.map((name): KnownValue => {
      const answer = answers.get(name);
      return { name, json: answer && JSON.stringify(answer.value), expiresAt: answer?.expiresAt?.getTime() };
    });
    if (generation === this.#generation) this.#onFound(known);
    return new Map(known.map((value) => [value.name, value]));
  }
}
