export interface RenewableOptions<T> {
  readonly obtain: () => Promise<T>;
  /** Until when a value serves others than those who waited for it; undefined: not at all. */
  readonly usableUntil: (value: T, receivedAt: Date) => Date | undefined;
  readonly clock: () => Date;
  /** After a failure; doubles with each further one. */
  readonly firstPauseMilliseconds?: number;
}

/**
 * The current value; a new one when there is none, when it is about to end, or when a server has refused it. However
 * many ask, one request is on its way.
 */
export type Renewable<T> = (isRefused?: (value: T) => boolean) => Promise<T>;

const FIRST_PAUSE_MILLISECONDS = 250;
const MOST_PAUSE_MILLISECONDS = 8_000;

interface Kept<T> {
  readonly value: T;
  readonly from: Date;
  readonly until: Date;
}

/**
 * Keeps what is expensive to get and ends by itself: tokens, sessions. A failure is not kept: whoever asks next has it tried
 * again, but only after a pause that grows with each failure, so that a server that is down is not asked at once by all.
 */
export function createRenewable<T>(options: RenewableOptions<T>): Renewable<T> {
  const { obtain, usableUntil, clock } = options;
  const pause = createGrowingPause(options.firstPauseMilliseconds ?? FIRST_PAUSE_MILLISECONDS);
  let kept: Kept<T> | undefined;
  let flight: Promise<T> | undefined;

  async function renew(): Promise<T> {
    kept = undefined;
    await pause.over();
    try {
      const value = await obtain();
      const from = clock();
      const until = usableUntil(value, from);
      kept = until === undefined ? undefined : { value, from, until };
      pause.reset();
      return value;
    } catch (error) {
      pause.grow();
      throw error;
    }
  }

  return async (isRefused = () => false) => {
    if (flight !== undefined) return await flight;
    if (kept !== undefined && isCurrent(kept, clock()) && !isRefused(kept.value)) return kept.value;
    flight = renew().finally(() => {
      flight = undefined;
    });
    return await flight;
  };
}

/** It has a beginning too, so that a clock that is set back does not prolong it. */
function isCurrent({ from, until }: Kept<unknown>, now: Date): boolean {
  return from.getTime() <= now.getTime() && now.getTime() < until.getTime();
}

function createGrowingPause(first: number): { over(): Promise<void>; grow(): void; reset(): void } {
  let next = first;
  let end = 0;
  return {
    async over() {
      const left = end - performance.now();
      if (left > 0) await new Promise((resolve) => setTimeout(resolve, left));
    },
    grow() {
      end = performance.now() + next * (0.5 + Math.random());
      next = Math.min(MOST_PAUSE_MILLISECONDS, next * 2);
    },
    reset() {
      next = first;
    },
  };
}
