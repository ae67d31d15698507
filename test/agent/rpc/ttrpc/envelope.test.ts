import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RequestSchema, ResponseSchema } from '../../../../agent/rpc/gen/ttrpc_pb.ts';
import { RPC_CODES, type RpcCode, RpcError } from '../../../../agent/rpc/rpc-error.ts';
import {
  decodeRequest,
  decodeResponse,
  encodeAnswer,
  encodeFailure,
  encodeRequest,
} from '../../../../agent/rpc/ttrpc/envelope.ts';
import { field, numberField } from '../../../harness/raw-ttrpc.ts';

const INT64 = { min: -(2n ** 63n), max: 2n ** 63n - 1n };

describe('a request', () => {
  it('is read by hand as the generated code reads it', () => {
    const anyRequest = fc.record({
      service: fc.string({ unit: 'grapheme' }),
      method: fc.string({ unit: 'grapheme' }),
      payload: fc.uint8Array(),
      timeoutNano: fc.bigInt(INT64),
      metadata: fc.array(fc.record({ key: fc.string(), value: fc.string() })),
    });
    fc.assert(
      fc.property(anyRequest, ({ metadata, ...request }) => {
        const bytes = toBinary(RequestSchema, create(RequestSchema, { ...request, metadata }));

        expect(decodeRequest(bytes)).toEqual(request);
        expect(decodeRequest(encodeRequest(request))).toEqual(request);
      }),
    );
  });

  it('is read, or refused with a code of ours, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const byHand = attempt(() => decodeRequest(bytes));
        if (byHand === 'INVALID_ARGUMENT') return;
        expect(byHand).toBe('read');
      }),
    );
  });

  it('is refused at every truncation that cuts a field', () => {
    const whole = Buffer.concat([
      field(1, 'service'),
      field(2, 'method'),
      field(3, 'payload'),
      field(5, 'x'),
    ]);
    const ends = [0, 9, 17, 26, whole.length]; // where a field ends, the rest is a message too

    for (let length = 0; length <= whole.length; length++) {
      const expected = ends.includes(length) ? 'read' : 'INVALID_ARGUMENT';
      expect([length, attempt(() => decodeRequest(whole.subarray(0, length)))]).toEqual([length, expected]);
    }
  });

  it.each([
    ['groups without end', Buffer.alloc(100_000, 0x0b)],
    ['a field 0', Buffer.from([0x02, 0x00])],
    ['a length beyond the end', Buffer.from([0x0a, 0xff, 0xff, 0xff, 0xff, 0x07])],
    ['a varint without end', Buffer.alloc(20, 0xff)],
  ])('is refused with %s', (_what, bytes) => {
    expect(attempt(() => decodeRequest(bytes))).toBe('INVALID_ARGUMENT');
  });

  it('makes nothing of two million entries of metadata', () => {
    const bytes = Buffer.alloc(4 << 20, Buffer.from([0x2a, 0x00]));

    expect(decodeRequest(bytes)).toMatchObject({ service: '', method: '' });
  });
});

describe('a response', () => {
  it('carries the payload and no status', () => {
    const bytes = encodeAnswer(Buffer.from('abc'));

    expect(Buffer.from(bytes).toString('hex')).toBe('1203616263');
    expect(Buffer.from(decodeResponse(bytes)).toString()).toBe('abc');
  });

  it('is a success with a status of code 0 too', () => {
    expect(decodeResponse(Buffer.concat([field(1, numberField(1, 0n)), field(2, 'abc')]))).toEqual(
      Buffer.from('abc'),
    );
  });

  it.each(Object.keys(RPC_CODES) as RpcCode[])('carries the code %s and its message', (code) => {
    const bytes = encodeFailure(new RpcError(code, 'why', { cause: new Error('s3cret') }));

    expect(() => decodeResponse(bytes)).toThrow(expect.objectContaining({ code, message: 'why' }));
    expect(fromBinary(ResponseSchema, bytes).status).toMatchObject({
      code: RPC_CODES[code],
      message: 'why',
      details: [],
    });
  });

  it('is UNKNOWN with a code that has no name, below 0 too', () => {
    for (const code of [17n, 1000n, -1n]) {
      const bytes = field(1, Buffer.concat([numberField(1, code), field(2, 'why')]));
      expect(() => decodeResponse(bytes)).toThrow(expect.objectContaining({ code: 'UNKNOWN' }));
    }
  });

  it('cuts a message so that it fits its frame', () => {
    expect(encodeFailure(new RpcError('INTERNAL', 'x'.repeat(5 << 20))).byteLength).toBeLessThan(5000);
  });

  it.each([
    ['no protobuf', Buffer.from([0x07])],
    ['a status that is none', field(1, Buffer.from([0x07]))],
  ])('is INTERNAL where it is %s', (_what, bytes) => {
    expect(attempt(() => decodeResponse(bytes))).toBe('INTERNAL');
  });
});

function attempt(read: () => unknown): string {
  try {
    read();
    return 'read';
  } catch (error) {
    expect(error).toBeInstanceOf(RpcError); // never RangeError, TypeError
    return (error as RpcError).code;
  }
}
