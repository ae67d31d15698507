import type { Socket } from 'node:net';
import { deadlineExceeded, deadlineIn } from '../deadline.ts';
import { RpcError } from '../rpc-error.ts';
import { type FailureLog, methodPath, type RpcMethod, type RpcService } from '../service.ts';
import { type StartedCall, startCall } from '../started-call.ts';
import type { ByteBudget } from './byte-budget.ts';
import { decodeRequest, encodeAnswer, encodeFailure, type TtrpcRequest } from './envelope.ts';
import { type Frame, isUnary, MAX_PAYLOAD_BYTES, REQUEST, RESPONSE } from './frame.ts';
import { FrameConnection } from './frame-connection.ts';

/** What all connections of a server share. */
export interface ConnectionShare {
  readonly services: ReadonlyMap<string, RpcService>;
  readonly log: FailureLog;
  readonly budget: ByteBudget;
  readonly maxRequestsInFlight: number;
  readonly stallMilliseconds: number;
}

/** Above this, no further request is taken from one who does not read its answers. */
const MAX_UNSENT_BYTES = 1 << 20;
/** Of a method's path, which the caller chose. */
const MAX_PATH_CHARACTERS = 256;
const NANOSECONDS_A_MILLISECOND = 1e6;

/** The server's side of one connection: requests in, answers out in whatever order they get ready. */
export class ServerConnection {
  readonly #share: ConnectionShare;
  readonly #frames: FrameConnection;
  readonly #calls = new Map<number, StartedCall>();
  /** Handlers that run. One that was given up counts until it has noticed. */
  #running = 0;
  #isEnding = false;
  #isDraining = false;

  constructor(socket: Socket, share: ConnectionShare, onClose: () => void) {
    this.#share = share;
    this.#frames = new FrameConnection(socket, share.budget, share.stallMilliseconds, {
      mayTake: () => this.#running < share.maxRequestsInFlight && this.#frames.unsentBytes < MAX_UNSENT_BYTES,
      onFrame: (frame) => {
        void this.#serve(frame);
      },
      onEnd: () => {
        this.#isEnding = true;
        this.#endWhenIdle();
      },
      onClose: () => {
        this.#giveUp(new RpcError('CANCELLED', 'the connection was closed'));
        onClose();
      },
    });
  }

  /** Answers what is in flight, refuses what comes after it, then closes. */
  drain(): void {
    this.#isDraining = true;
    this.#isEnding = true;
    this.#endWhenIdle();
  }

  /** Closes now; what is in flight is aborted. */
  destroy(): void {
    this.#giveUp(new RpcError('UNAVAILABLE', 'the server is shutting down'));
    this.#frames.destroy();
  }

  async #serve(frame: Frame): Promise<void> {
    let response: Uint8Array;
    try {
      response = encodeAnswer(await this.#answer(frame));
      if (response.byteLength > MAX_PAYLOAD_BYTES) {
        throw new RpcError('RESOURCE_EXHAUSTED', tooLong('an answer', response.byteLength));
      }
    } catch (error) {
      response = encodeFailure(error as RpcError); // #answer rejects with nothing else
    }
    this.#send(frame.streamId, response);
    this.#endWhenIdle();
  }

  async #answer(frame: Frame): Promise<Uint8Array> {
    let method: RpcMethod;
    let request: TtrpcRequest;
    try {
      const payload = this.#checkFrame(frame);
      request = decodeRequest(payload);
      method = this.#findMethod(request);
      if (request.timeoutNano < 0n) throw deadlineExceeded();
    } catch (error) {
      this.#share.budget.giveBack(frame.payload?.byteLength ?? 0);
      throw error;
    }
    return await this.#run(frame, method, request);
  }

  #checkFrame({ payload, length, streamId, type, flags }: Frame): Uint8Array {
    if (length > MAX_PAYLOAD_BYTES) throw new RpcError('INVALID_ARGUMENT', tooLong('a request', length));
    if (payload === undefined) {
      throw new RpcError(
        'RESOURCE_EXHAUSTED',
        `expected room for ${length} bytes, got none: try again later`,
      );
    }
    if (streamId % 2 === 0) {
      throw new RpcError('INVALID_ARGUMENT', `expected an odd stream id, got ${streamId}`);
    }
    if (type !== REQUEST || !isUnary({ length, streamId, type, flags })) {
      throw new RpcError(
        'INVALID_ARGUMENT',
        `expected a unary request (type ${REQUEST}), got type ${type} with flags ${flags}`,
      );
    }
    if (this.#calls.has(streamId)) {
      throw new RpcError('INVALID_ARGUMENT', `expected a new stream id, got ${streamId} which is in flight`);
    }
    if (this.#isDraining) throw new RpcError('UNAVAILABLE', 'the server is shutting down');
    return payload;
  }

  /** Upstream answers a method that it does not have with NOT_FOUND and this text. */
  #findMethod({ service, method }: TtrpcRequest): RpcMethod {
    const found = this.#share.services.get(service)?.methods.get(method);
    if (found !== undefined) return found;
    const path = methodPath(service, method).slice(0, MAX_PATH_CHARACTERS);
    throw new RpcError('NOT_FOUND', `${path} is not supported`);
  }

  async #run(frame: Frame, method: RpcMethod, request: TtrpcRequest): Promise<Uint8Array> {
    const { timeoutNano } = request;
    const deadline =
      timeoutNano === 0n ? undefined : deadlineIn(Number(timeoutNano) / NANOSECONDS_A_MILLISECOND);
    const call = startCall(method, request.payload, deadline, this.#share.log);
    this.#calls.set(frame.streamId, call);
    this.#running++;
    void call.settled.then(() => {
      this.#running--;
      this.#share.budget.giveBack(frame.length);
      this.#frames.resume();
    });
    try {
      return await call.answer;
    } finally {
      this.#calls.delete(frame.streamId);
    }
  }

  #send(streamId: number, response: Uint8Array): void {
    if (this.#frames.send(streamId, RESPONSE, response)) return;
    const refusal = new RpcError(
      'RESOURCE_EXHAUSTED',
      'expected room for the answer, got none: try again later',
    );
    // One who cannot even be told so has sent more than it reads.
    if (!this.#frames.send(streamId, RESPONSE, encodeFailure(refusal))) this.#frames.destroy();
  }

  #endWhenIdle(): void {
    if (this.#isEnding && this.#calls.size === 0) this.#frames.end();
  }

  #giveUp(reason: RpcError): void {
    for (const call of this.#calls.values()) call.abort(reason);
  }
}

function tooLong(what: string, bytes: number): string {
  return `expected ${what} of at most ${MAX_PAYLOAD_BYTES} bytes, got ${bytes}`;
}
