import { atDeadline, type Deadline, deadlineExceeded } from './deadline.ts';
import type { RpcError } from './rpc-error.ts';
import type { FailureLog, RpcMethod } from './service.ts';

/** A call that a server has begun to answer. Both transports answer in this way. */
export interface StartedCall {
  /** What the caller hears: the answer of the handler, unless it comes too late. Rejects with nothing but RpcError. */
  readonly answer: Promise<Uint8Array>;
  /** When the handler is done, which for one that was given up may be later. */
  readonly settled: Promise<void>;
  /** The caller does not wait any more, or is not to. */
  readonly abort: (reason: RpcError) => void;
}

/** Runs a handler until it is done, its deadline comes, or it is aborted, and tells it of the latter two. */
export function startCall(
  method: RpcMethod,
  payload: Uint8Array,
  deadline: Deadline | undefined,
  log: FailureLog,
): StartedCall {
  const controller = new AbortController();
  const { signal } = controller;
  const abort = (reason: RpcError): void => {
    controller.abort(reason);
  };
  const stopTimer = atDeadline(deadline, () => {
    abort(deadlineExceeded());
  });
  const work = method.answer(payload, { signal, deadline }, log);
  const answer = new Promise<Uint8Array>((resolve, reject) => {
    signal.addEventListener('abort', () => {
      reject(signal.reason as RpcError); // `abort` is the only way to it
    });
    work.then(resolve, reject);
  });
  const settled = work.then(stopTimer, stopTimer);
  return { answer, settled, abort };
}
