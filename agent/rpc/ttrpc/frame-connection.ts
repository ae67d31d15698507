import type { Socket } from 'node:net';
import type { ByteBudget } from './byte-budget.ts';
import { encodeFrame, type Frame } from './frame.ts';
import { FrameDecoder } from './frame-decoder.ts';
import { StallTimer } from './stall-timer.ts';

export interface FrameEvents {
  /** Whether another frame may be taken. While not, nothing is read; `resume` asks again. */
  readonly mayTake: () => boolean;
  /** The payload's bytes are taken from the budget; whoever receives it gives them back. */
  readonly onFrame: (frame: Frame) => void;
  /** The other side will send nothing more, but may still read. */
  readonly onEnd: () => void;
  /** Once, whatever the reason. `cause` is that of a socket that failed. */
  readonly onClose: (cause: Error | undefined) => void;
}

const NOTHING = new Uint8Array();

/** A socket that carries frames. Both sides of a ttrpc connection are built on it. */
export class FrameConnection {
  readonly #socket: Socket;
  readonly #budget: ByteBudget;
  readonly #events: FrameEvents;
  readonly #decoder: FrameDecoder;
  readonly #readStall: StallTimer;
  readonly #writeStall: StallTimer;
  #isTaking = false;
  #isEnded = false;
  #unsentBytes = 0;
  #failure: Error | undefined;

  /**
   * A connection on which for `stallMilliseconds` a frame stays half, or no byte of ours is taken, is cut: otherwise it
   * would hold its part of the budget for ever.
   */
  constructor(socket: Socket, budget: ByteBudget, stallMilliseconds: number, events: FrameEvents) {
    this.#socket = socket;
    this.#budget = budget;
    this.#events = events;
    this.#decoder = new FrameDecoder((length) => budget.take(length));
    const cut = (): void => {
      socket.destroy();
    };
    this.#readStall = new StallTimer(stallMilliseconds, cut);
    this.#writeStall = new StallTimer(stallMilliseconds, cut);
    socket.on('data', (chunk: Uint8Array) => {
      this.#decoder.push(chunk);
      this.#take();
    });
    socket.on('end', () => {
      // To write to one who is gone fails, even no bytes; to one who only ended its half it does not.
      if (socket.allowHalfOpen && socket.writable) socket.write(NOTHING);
      events.onEnd();
    });
    socket.on('error', (error) => {
      this.#failure = error;
    });
    socket.on('close', () => {
      this.#onClose();
    });
  }

  /** Bytes that the other side has not taken yet. */
  get unsentBytes(): number {
    return this.#unsentBytes;
  }

  /** Sends a frame, unless the connection was ended. Returns false, and sends nothing, where the budget has no room for it. */
  send(streamId: number, type: number, payload: Uint8Array): boolean {
    if (this.#isEnded) return true;
    const frame = encodeFrame(streamId, type, payload);
    if (!this.#budget.take(frame.byteLength)) return false;
    this.#unsentBytes += frame.byteLength;
    this.#writeStall.start();
    this.#socket.write(frame, () => {
      this.#budget.giveBack(frame.byteLength);
      this.#unsentBytes -= frame.byteLength;
      this.#onSent();
    });
    return true;
  }

  /** Takes frames again, where that is allowed now. */
  resume(): void {
    if (!this.#isTaking && !this.#socket.destroyed) this.#take();
  }

  /** Closes once everything is sent. */
  end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#socket.destroySoon();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #take(): void {
    this.#isTaking = true;
    let mayTake = this.#mayTake();
    while (mayTake) {
      const frame = this.#decoder.next();
      if (frame === undefined) break;
      this.#readStall.stop();
      this.#events.onFrame(frame);
      mayTake = this.#mayTake();
    }
    this.#isTaking = false;
    if (mayTake) this.#socket.resume();
    else this.#socket.pause();
    // While we do not read, it is not the other side that stalls.
    if (mayTake && this.#decoder.isMidFrame) this.#readStall.start();
    else this.#readStall.stop();
  }

  #mayTake(): boolean {
    return !this.#socket.destroyed && !this.#isEnded && this.#events.mayTake();
  }

  #onSent(): void {
    if (this.#unsentBytes === 0) this.#writeStall.stop();
    else this.#writeStall.refresh();
    this.resume();
  }

  #onClose(): void {
    this.#readStall.stop();
    this.#writeStall.stop();
    this.#budget.giveBack(this.#decoder.admittedBytes);
    this.#events.onClose(this.#failure);
  }
}
