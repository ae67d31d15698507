import { DelegateBackoff, handleWhen, retry } from 'cockatiel';
import { ClientError } from '../client-error.ts';
import { type Deadline, deadlineExceeded, startDeadline } from './deadline.ts';

export interface AttemptOptions {
  /** For all attempts together, pauses included. */
  readonly deadlineMilliseconds: number;
  /** For one of them. */
  readonly attemptMilliseconds: number;
  /** After the first one. */
  readonly retries: number;
  /** Before the first retry, on average; doubles with each. */
  readonly firstPauseMilliseconds: number;
}

/** Callers of the Attestation Agent wait for 50 seconds. */
export const USUAL_ATTEMPTS: AttemptOptions = {
  deadlineMilliseconds: 45_000,
  attemptMilliseconds: 20_000,
  retries: 4,
  firstPauseMilliseconds: 300,
};

const MOST_PAUSE_MILLISECONDS = 8_000;

/**
 * Runs what may fail for a moment until it goes well: only errors that are transient are tried again, after a pause with
 * jitter, or the one that the server asked for. A pause that does not end before the deadline is not begun: then the
 * failure stands. Throws what the last attempt threw, or ClientError DEADLINE_EXCEEDED, caused by what the last one threw.
 */
export async function withAttempts<T>(
  run: (signal: AbortSignal) => Promise<T>,
  options: AttemptOptions = USUAL_ATTEMPTS,
  deadline: Deadline = startDeadline(options.deadlineMilliseconds),
): Promise<T> {
  const isWorthAnother = (error: unknown): boolean =>
    isTransient(error) && pauseAskedBy(error) < deadline.left();
  const policy = retry(handleWhen(isWorthAnother), {
    maxAttempts: options.retries,
    backoff: new DelegateBackoff(({ attempt, result }) => {
      const asked = 'error' in result ? pauseAskedBy(result.error) : 0;
      return Math.max(0, Math.min(deadline.left(), Math.max(asked, jitteredPause(attempt, options))));
    }),
  });
  let lastFailure: unknown;
  const attempts = policy.execute(async () => {
    if (deadline.left() <= 0) throw deadlineExceeded(lastFailure);
    try {
      const milliseconds = Math.ceil(Math.min(deadline.left(), options.attemptMilliseconds));
      return await run(AbortSignal.timeout(milliseconds));
    } catch (error) {
      lastFailure = error;
      throw error;
    }
  });
  return await deadline.race(attempts, () => lastFailure);
}

function isTransient(error: unknown): error is ClientError {
  return error instanceof ClientError && error.isTransient;
}

function pauseAskedBy(error: unknown): number {
  return error instanceof ClientError ? (error.statement?.retryAfterSeconds ?? 0) * 1000 : 0;
}

/** Between half and one and a half of the doubled pause, so that guests that failed together do not return together. */
function jitteredPause(attempt: number, { firstPauseMilliseconds }: AttemptOptions): number {
  const doubled = firstPauseMilliseconds * 2 ** Math.min(attempt - 1, 16);
  return Math.min(MOST_PAUSE_MILLISECONDS, doubled) * (0.5 + Math.random());
}
