import type { Socket } from 'node:net';
import { cancelled, type TransportOptions } from '../client.ts';
import { atDeadline, deadlineExceeded } from '../deadline.ts';
import { RpcError } from '../rpc-error.ts';
import type { ByteBudget } from './byte-budget.ts';
import { decodeResponse, encodeRequest } from './envelope.ts';
import { type Frame, isUnary, MAX_PAYLOAD_BYTES, REQUEST, RESPONSE } from './frame.ts';
import { FrameConnection } from './frame-connection.ts';

interface PendingCall {
  readonly resolve: (payload: Uint8Array) => void;
  readonly reject: (error: RpcError) => void;
}

const NANOSECONDS_A_MILLISECOND = 1e6;
const LAST_STREAM_ID = 0xffff_ffff;

/** The client's side of one connection: any number of calls at a time, answers in any order. */
export class ClientConnection {
  readonly #budget: ByteBudget;
  readonly #frames: FrameConnection;
  readonly #pending = new Map<number, PendingCall>();
  #nextStreamId: number;
  #isOpen = true;

  constructor(socket: Socket, budget: ByteBudget, stallMilliseconds: number, firstStreamId = 1) {
    this.#budget = budget;
    this.#nextStreamId = firstStreamId;
    this.#frames = new FrameConnection(socket, budget, stallMilliseconds, {
      mayTake: () => true,
      onFrame: (frame) => {
        this.#receive(frame);
      },
      onEnd: () => {
        this.#isOpen = false;
      },
      onClose: (cause) => {
        this.#fail(new RpcError('UNAVAILABLE', describeLoss(cause), { cause }));
      },
    });
  }

  /** Whether a further call may be made here. Stream ids are not used twice, so one day they are used up. */
  get isUsable(): boolean {
    return this.#isOpen && this.#nextStreamId <= LAST_STREAM_ID;
  }

  async call(
    service: string,
    method: string,
    payload: Uint8Array,
    { signal, deadline }: TransportOptions,
  ): Promise<Uint8Array> {
    if (signal?.aborted === true) throw cancelled(signal);
    const milliseconds = deadline - performance.now();
    if (milliseconds <= 0) throw deadlineExceeded();
    const timeoutNano = BigInt(Math.ceil(milliseconds * NANOSECONDS_A_MILLISECOND));
    const request = encodeRequest({ service, method, payload, timeoutNano });
    if (request.byteLength > MAX_PAYLOAD_BYTES) {
      throw new RpcError('INVALID_ARGUMENT', tooLong('a request', request.byteLength));
    }
    const streamId = this.#nextStreamId;
    this.#nextStreamId += 2;
    if (!this.#frames.send(streamId, REQUEST, request)) {
      throw new RpcError(
        'RESOURCE_EXHAUSTED',
        'expected room for a further request, got none: try again later',
      );
    }
    return await this.#wait(streamId, signal, deadline);
  }

  close(): void {
    this.#fail(new RpcError('CANCELLED', 'the client was closed'));
    this.#frames.destroy();
  }

  /** The protocol has no word for a call that is given up: its answer is passed over when it comes. */
  async #wait(streamId: number, signal: AbortSignal | undefined, deadline: number): Promise<Uint8Array> {
    let abort: (() => void) | undefined;
    let stopTimer: (() => void) | undefined;
    try {
      return await new Promise<Uint8Array>((resolve, reject) => {
        this.#pending.set(streamId, { resolve, reject });
        stopTimer = atDeadline(deadline, () => {
          reject(deadlineExceeded());
        });
        if (signal === undefined) return;
        abort = () => {
          reject(cancelled(signal));
        };
        signal.addEventListener('abort', abort);
      });
    } finally {
      stopTimer?.();
      if (abort !== undefined) signal?.removeEventListener('abort', abort);
      this.#pending.delete(streamId);
      if (!this.isUsable && this.#pending.size === 0) this.#frames.end();
    }
  }

  #receive(frame: Frame): void {
    this.#budget.giveBack(frame.payload?.byteLength ?? 0);
    const call = this.#pending.get(frame.streamId);
    if (call === undefined) return; // given up, or never asked
    try {
      call.resolve(decodeResponse(checkFrame(frame)));
    } catch (error) {
      call.reject(error as RpcError); // both throw nothing else
    }
  }

  #fail(error: RpcError): void {
    this.#isOpen = false;
    for (const call of this.#pending.values()) call.reject(error);
  }
}

function checkFrame(frame: Frame): Uint8Array {
  if (frame.payload === undefined) {
    throw new RpcError('RESOURCE_EXHAUSTED', tooLong('an answer', frame.length));
  }
  if (frame.type !== RESPONSE || !isUnary(frame)) {
    throw new RpcError(
      'INTERNAL',
      `expected a unary response (type ${RESPONSE}), got type ${frame.type} with flags ${frame.flags}`,
    );
  }
  return frame.payload;
}

function describeLoss(cause: Error | undefined): string {
  const reason = (cause as NodeJS.ErrnoException | undefined)?.code ?? 'the server closed it';
  return `expected a connection until the answer, got none: ${reason}`;
}

function tooLong(what: string, bytes: number): string {
  return `expected ${what} of at most ${MAX_PAYLOAD_BYTES} bytes, got ${bytes}`;
}
