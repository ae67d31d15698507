/** Runs what it is given when everything before has ended. */
export type Turns = <T>(work: () => Promise<T>) => Promise<T>;

/** One after the other, in the order in which they were asked for, whatever becomes of those before. */
export function createTurns(): Turns {
  let last: Promise<unknown> = Promise.resolve();
  return async (work) => {
    const turn = last.then(work, work);
    last = turn.catch(() => undefined);
    return await turn;
  };
}
