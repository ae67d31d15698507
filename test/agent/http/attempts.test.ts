import { describe, expect, test } from 'vitest';
import { ClientError, type ClientErrorCode } from '../../../agent/client-error.ts';
import { withAttempts } from '../../../agent/http/attempts.ts';
import { QUICK } from '../../fakes/fake-guest.ts';

function failure(code: ClientErrorCode, retryAfterSeconds?: number): ClientError {
  const statement = { status: 503, serverCode: undefined, decisionId: undefined, retryAfterSeconds };
  return new ClientError(code, 'no', { statement });
}

function failing(times: number, error: Error): { run: () => Promise<string>; count: () => number } {
  let count = 0;
  return {
    count: () => count,
    run: async () => {
      count++;
      if (count <= times) throw error;
      return 'yes';
    },
  };
}

describe('what is tried again', () => {
  test.each(['SERVER_UNREACHABLE', 'SERVER_OVERLOADED', 'SERVER_FAILED'] as const)('%s', async (code) => {
    const { run, count } = failing(2, failure(code));
    await expect(withAttempts(run, QUICK)).resolves.toBe('yes');
    expect(count()).toBe(3);
  });

  test.each([
    'POLICY_DENIED',
    'RESOURCE_NOT_FOUND',
    'UNAUTHENTICATED',
    'PIN_MISMATCH',
    'CERTIFICATE_UNTRUSTED',
    'REPLY_MALFORMED',
  ] as const)('%s is final', async (code) => {
    const { run, count } = failing(1, failure(code));
    await expect(withAttempts(run, QUICK)).rejects.toMatchObject({ code });
    expect(count()).toBe(1);
  });

  test('not an error that is not ours', async () => {
    const { run, count } = failing(1, new RangeError('a defect'));
    await expect(withAttempts(run, QUICK)).rejects.toThrow(RangeError);
    expect(count()).toBe(1);
  });

  test('so often and no more, and the last failure stands', async () => {
    const { run, count } = failing(99, failure('SERVER_FAILED'));
    await expect(withAttempts(run, QUICK)).rejects.toMatchObject({ code: 'SERVER_FAILED' });
    expect(count()).toBe(QUICK.retries + 1);
  });
});

describe('time', () => {
  test('work that does not end is left at the deadline', async () => {
    const never = new Promise<never>(() => undefined);
    await expect(
      withAttempts(async () => await never, { ...QUICK, deadlineMilliseconds: 50 }),
    ).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED', isTransient: true });
  });

  test('an attempt is told to end before the next one', async () => {
    let aborted = 0;
    const attempt = async (signal: AbortSignal): Promise<never> =>
      await new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => {
          aborted++;
          reject(failure('SERVER_UNREACHABLE'));
        });
      });
    const options = { ...QUICK, attemptMilliseconds: 20, retries: 1 };
    await expect(withAttempts(attempt, options)).rejects.toMatchObject({ code: 'SERVER_UNREACHABLE' });
    expect(aborted).toBe(2);
  });

  test('a pause that the server asks for is kept', async () => {
    const start = performance.now();
    const { run } = failing(1, failure('SERVER_OVERLOADED', 0.2));
    await withAttempts(run, QUICK);
    expect(performance.now() - start).toBeGreaterThanOrEqual(190);
  });

  test('a deadline that passes says what the last attempt ended with', async () => {
    const failure = new ClientError('SERVER_UNREACHABLE', 'nobody is there');
    let attempt = 0;
    const never = new Promise<never>(() => undefined);
    const work = async (): Promise<never> => await (attempt++ === 0 ? Promise.reject(failure) : never);
    await expect(withAttempts(work, { ...QUICK, deadlineMilliseconds: 100 })).rejects.toMatchObject({
      code: 'DEADLINE_EXCEEDED',
      cause: failure,
    });
  });

  test('a pause beyond the deadline is not begun', async () => {
    const { run, count } = failing(1, failure('SERVER_OVERLOADED', 3600));
    await expect(withAttempts(run, QUICK)).rejects.toMatchObject({ code: 'SERVER_OVERLOADED' });
    expect(count()).toBe(1);
  });
});
