import { ClientError } from '../client-error.ts';

/** A time by which a caller is answered, whatever is tried until then. By a clock that is never set back. */
export interface Deadline {
  /** Milliseconds; zero or less when it is over. */
  left(): number;
  /** The result, or ClientError DEADLINE_EXCEEDED when it does not come in time; `reason` is asked then what it was about. */
  race<T>(work: Promise<T>, reason?: () => unknown): Promise<T>;
}

export function startDeadline(milliseconds: number): Deadline {
  const end = performance.now() + milliseconds;
  const left = (): number => end - performance.now();
  return {
    left,
    async race(work, reason) {
      let timer: ReturnType<typeof setTimeout> | undefined;
      const over = new Promise<never>((_resolve, reject) => {
        timer = setTimeout(
          () => {
            reject(deadlineExceeded(reason?.()));
          },
          Math.max(0, left()),
        );
      });
      try {
        return await Promise.race([work, over]);
      } finally {
        clearTimeout(timer);
      }
    },
  };
}

export function deadlineExceeded(cause?: unknown): ClientError {
  return new ClientError('DEADLINE_EXCEEDED', 'expected an answer before the deadline, got none', { cause });
}
