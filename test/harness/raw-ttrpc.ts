import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export interface RawFrame {
  readonly streamId: number;
  readonly type: number;
  readonly flags: number;
  readonly payload: Buffer;
}

/** One side of a ttrpc connection made of nothing but bytes, so that a test can say what no client would. */
export interface RawPeer {
  readonly socket: Socket;
  /** Hex, spaces allowed, or bytes. */
  send(bytes: string | Uint8Array): void;
  /** The next frame; `undefined` once the other side has ended. */
  frame(): Promise<RawFrame | undefined>;
  /** Everything that came until the other side ended or closed. */
  readonly ended: Promise<void>;
}

export async function connectRaw(path: string): Promise<RawPeer> {
  const socket = connect({ path, allowHalfOpen: true });
  await once(socket, 'connect');
  return rawPeer(socket);
}

export function rawPeer(socket: Socket): RawPeer {
  let buffered = Buffer.alloc(0);
  const frames: RawFrame[] = [];
  const waiting: ((frame: RawFrame | undefined) => void)[] = [];
  let isEnded = false;
  socket.on('error', () => undefined);
  socket.on('data', (chunk: Buffer) => {
    buffered = Buffer.concat([buffered, chunk]);
    while (buffered.length >= 10 && buffered.length >= 10 + buffered.readUInt32BE(0)) {
      const length = buffered.readUInt32BE(0);
      const frame = {
        streamId: buffered.readUInt32BE(4),
        type: buffered.readUInt8(8),
        flags: buffered.readUInt8(9),
        payload: buffered.subarray(10, 10 + length),
      };
      buffered = buffered.subarray(10 + length);
      const next = waiting.shift();
      if (next === undefined) frames.push(frame);
      else next(frame);
    }
  });
  const ended = new Promise<void>((resolve) => {
    const end = (): void => {
      isEnded = true;
      for (const next of waiting.splice(0)) next(undefined);
      resolve();
    };
    socket.on('end', end).on('close', end);
  });
  return {
    socket,
    ended,
    send: (bytes) => {
      socket.write(typeof bytes === 'string' ? Buffer.from(bytes.replaceAll(' ', ''), 'hex') : bytes);
    },
    frame: async () =>
      frames.shift() ?? (isEnded ? undefined : await new Promise((resolve) => waiting.push(resolve))),
  };
}

/** A frame as ttrpc lays it out. */
export function rawFrame(streamId: number, type: number, payload: Uint8Array, flags = 0): Buffer {
  const header = Buffer.alloc(10);
  header.writeUInt32BE(payload.byteLength, 0);
  header.writeUInt32BE(streamId, 4);
  header.writeUInt8(type, 8);
  header.writeUInt8(flags, 9);
  return Buffer.concat([header, payload]);
}

/** A field of protobuf that holds bytes or text. */
export function field(number: number, value: Uint8Array | string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([Buffer.from([(number << 3) | 2]), varint(BigInt(bytes.length)), bytes]);
}

/** A field of protobuf that holds a number. */
export function numberField(number: number, value: bigint): Buffer {
  return Buffer.concat([Buffer.from([number << 3]), varint(BigInt.asUintN(64, value))]);
}

function varint(value: bigint): Buffer {
  const bytes: number[] = [];
  let left = value;
  for (; left > 0x7fn; left >>= 7n) bytes.push(Number(left & 0x7fn) | 0x80);
  return Buffer.from([...bytes, Number(left)]);
}

/** ttrpc.Request for a resource. */
export function resourceRequest(path: string, timeoutNano = 0n): Buffer {
  return Buffer.concat([
    field(1, 'api.GetResourceService'),
    field(2, 'GetResource'),
    field(3, field(1, path)),
    numberField(4, timeoutNano),
  ]);
}

/** The status code and message of a ttrpc.Response that failed; code 0 for one that did not. */
export function statusOf(frame: RawFrame | undefined): { code: number; message: string } {
  const bytes = frame?.payload;
  if (bytes?.[0] !== 0x0a) return { code: 0, message: '' };
  // Status { code: one byte, message } and nothing else: what our server writes.
  const start = bytes.indexOf(0x12, 4);
  const wide = (bytes[1] ?? 0) > 0x7f ? 1 : 0;
  const length = bytes[start + 1] ?? 0;
  const textStart = start + (length > 0x7f ? 3 : 2);
  return { code: bytes[3 + wide] ?? -1, message: bytes.subarray(textStart).toString() };
}
