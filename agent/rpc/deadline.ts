import { RpcError } from './rpc-error.ts';

/** When a call is to be given up: milliseconds on the clock of `performance.now()`, which no change of time moves. */
export type Deadline = number;

/** A timer of Node cannot wait for longer. */
const LONGEST_WAIT = 2 ** 31 - 1;

export function deadlineIn(milliseconds: number): Deadline {
  return performance.now() + milliseconds;
}

/** Runs `giveUp` at the deadline, and at once where it has passed. Returns what calls that off. */
export function atDeadline(deadline: Deadline | undefined, giveUp: () => void): () => void {
  if (deadline === undefined) return () => undefined;
  const wait = Math.min(Math.max(Math.ceil(deadline - performance.now()), 0), LONGEST_WAIT);
  const timer = setTimeout(() => {
    giveUp();
  }, wait);
  return () => {
    clearTimeout(timer);
  };
}

export function deadlineExceeded(): RpcError {
  return new RpcError('DEADLINE_EXCEEDED', 'expected an answer before the deadline, got none');
}
