/*
 * The frames of ttrpc (containerd/ttrpc, PROTOCOL.md): a header of ten bytes, then the payload.
 */

export const HEADER_BYTES = 10;
/** Both ways. */
export const MAX_PAYLOAD_BYTES = 4 << 20;
export const REQUEST = 1;
export const RESPONSE = 2;

/** "remote closed": the sender will send no more on this stream, which a unary call does not do anyway. */
const REMOTE_CLOSED = 1;

export interface FrameHeader {
  /** Of the payload. Up to 4 GiB as it stands; what is longer than 4 MiB is never kept. */
  readonly length: number;
  readonly streamId: number;
  readonly type: number;
  readonly flags: number;
}

export interface Frame extends FrameHeader {
  /** `undefined` where it was refused: then its bytes are passed over as they come. */
  readonly payload: Uint8Array | undefined;
}

/** A unary call says no more than that it is over; streaming and what is unknown is not spoken here. */
export function isUnary(header: FrameHeader): boolean {
  return (header.flags & ~REMOTE_CLOSED) === 0;
}

export function encodeFrame(streamId: number, type: number, payload: Uint8Array): Uint8Array {
  const frame = new Uint8Array(HEADER_BYTES + payload.byteLength);
  const view = new DataView(frame.buffer);
  view.setUint32(0, payload.byteLength); // length
  view.setUint32(4, streamId); // stream id
  view.setUint8(8, type); // type
  view.setUint8(9, 0); // flags
  frame.set(payload, HEADER_BYTES);
  return frame;
}

export function readHeader(bytes: Uint8Array): FrameHeader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, HEADER_BYTES);
  return {
    length: view.getUint32(0),
    streamId: view.getUint32(4),
    type: view.getUint8(8),
    flags: view.getUint8(9),
  };
}
