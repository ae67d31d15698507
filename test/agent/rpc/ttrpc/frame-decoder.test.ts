import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Frame } from '../../../../agent/rpc/ttrpc/frame.ts';
import { encodeFrame } from '../../../../agent/rpc/ttrpc/frame.ts';
import { FrameDecoder } from '../../../../agent/rpc/ttrpc/frame-decoder.ts';

const MAX = 4 << 20;

function decodeAll(
  decoder: FrameDecoder,
  chunks: readonly Uint8Array[],
): { streamId: number; type: number; flags: number; payload: string | undefined }[] {
  const frames: Frame[] = [];
  for (const chunk of chunks) {
    decoder.push(chunk);
    for (let frame = decoder.next(); frame !== undefined; frame = decoder.next()) frames.push(frame);
  }
  return frames.map(({ streamId, type, flags, payload }) => ({
    streamId,
    type,
    flags,
    payload: payload && Buffer.from(payload).toString('hex'),
  }));
}

function cut(bytes: Uint8Array, at: readonly number[]): Uint8Array[] {
  const places = [0, ...at.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  return places.slice(1).map((end, index) => bytes.slice(places[index], end));
}

const anyFrame = fc.record({
  streamId: fc.nat(0xffff_ffff),
  type: fc.nat(255),
  payload: fc.uint8Array({ maxLength: 40 }),
});

describe('the decoder of frames', () => {
  it('reads a frame as it is laid out', () => {
    const bytes = Buffer.from('00000003000000090207aabbcc', 'hex');

    expect(decodeAll(new FrameDecoder(() => true), [bytes])).toEqual([
      { streamId: 9, type: 2, flags: 7, payload: 'aabbcc' },
    ]);
  });

  it('gives the same frames however the bytes are cut', () => {
    fc.assert(
      fc.property(fc.array(anyFrame, { maxLength: 6 }), fc.array(fc.nat(), { maxLength: 12 }), (all, at) => {
        const bytes = Buffer.concat(
          all.map(({ streamId, type, payload }) => encodeFrame(streamId, type, payload)),
        );
        const decoder = new FrameDecoder(() => true);

        expect(decodeAll(decoder, cut(bytes, at))).toEqual(
          all.map(({ streamId, type, payload }) => ({
            streamId,
            type,
            flags: 0,
            payload: Buffer.from(payload).toString('hex'),
          })),
        );
        expect(decoder.isMidFrame).toBe(false);
      }),
    );
  });

  it('gives the same of any bytes however they are cut, and throws nothing', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.array(fc.nat(), { maxLength: 8 }), (bytes, at) => {
        // Most lengths would be beyond what comes, so that the first bytes of half of them are made small.
        const short = bytes.map((byte, index) => (index % 12 < 3 ? 0 : byte));
        for (const input of [bytes, short]) {
          const whole = decodeAll(new FrameDecoder(() => true), [input]);
          expect(decodeAll(new FrameDecoder(() => true), cut(input, at))).toEqual(whole);
        }
      }),
    );
  });

  it('gives no frame of any truncation, and knows that it is in the middle of one', () => {
    const bytes = encodeFrame(5, 1, Buffer.from('payload'));

    for (let length = 0; length < bytes.length; length++) {
      const decoder = new FrameDecoder(() => true);
      expect(decodeAll(decoder, [bytes.slice(0, length)])).toEqual([]);
      expect(decoder.isMidFrame).toBe(length > 0);
    }
  });

  it('does not keep the memory of a chunk that it was given', () => {
    const decoder = new FrameDecoder(() => true);
    const chunk = encodeFrame(1, 1, Buffer.from('abc'));

    decoder.push(chunk);
    const frame = decoder.next();
    chunk.fill(0);

    expect(Buffer.from(frame?.payload ?? []).toString()).toBe('abc');
  });

  it('takes a payload of 4 MiB, and refuses one of a byte more before its bytes have come', () => {
    const asked: number[] = [];
    const decoder = new FrameDecoder((length) => asked.push(length) > 0);

    decoder.push(encodeFrame(1, 1, new Uint8Array(MAX)));
    expect(decoder.next()?.payload).toHaveLength(MAX);

    decoder.push(Buffer.from('00400001 00000003 01 00'.replaceAll(' ', ''), 'hex'));
    expect(decoder.next()).toEqual({ length: MAX + 1, streamId: 3, type: 1, flags: 0, payload: undefined });
    expect(decoder.next()).toBeUndefined();
    expect(decoder.isMidFrame).toBe(true);
    expect(decoder.admittedBytes).toBe(0);
    expect(asked).toEqual([MAX]);
  });

  it('passes over the payload that it refused, and no byte more', () => {
    const decoder = new FrameDecoder((length) => length !== 3);
    const bytes = Buffer.concat([
      encodeFrame(1, 1, Buffer.from('abc')),
      encodeFrame(3, 1, Buffer.from('abcd')),
    ]);

    for (let at = 0; at <= bytes.length; at++) {
      expect(decodeAll(decoder, cut(bytes, [at]))).toEqual([
        { streamId: 1, type: 1, flags: 0, payload: undefined },
        { streamId: 3, type: 1, flags: 0, payload: '61626364' },
      ]);
    }
  });

  it('tells for how many bytes it was given leave without delivering them', () => {
    const decoder = new FrameDecoder(() => true);

    decoder.push(encodeFrame(1, 1, new Uint8Array(100)).slice(0, 50));
    decoder.next();

    expect(decoder.admittedBytes).toBe(100);
  });
});
