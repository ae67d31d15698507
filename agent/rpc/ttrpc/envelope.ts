import { create, toBinary } from '@bufbuild/protobuf';
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import { RequestSchema, ResponseSchema } from '../gen/ttrpc_pb.ts';
import { RPC_CODES, RpcError, rpcCodeOf } from '../rpc-error.ts';

/*
 * The messages inside of the frames, ../proto/ttrpc.proto. They are written by the generated code and read by hand: that
 * would make an object of every entry of `metadata` and `details`, which nobody here asks for, and two million of them
 * fit into one frame.
 */

export interface TtrpcRequest {
  readonly service: string;
  readonly method: string;
  readonly payload: Uint8Array;
  /** From the sending on; 0 is without end. */
  readonly timeoutNano: bigint;
}

/** A message is cut here, so that an answer always fits its frame. */
const MAX_MESSAGE_CHARACTERS = 4096;
const NOTHING: Uint8Array = new Uint8Array();

export function encodeRequest(request: TtrpcRequest): Uint8Array {
  return toBinary(RequestSchema, create(RequestSchema, request));
}

/** Throws RpcError INVALID_ARGUMENT where the bytes are no ttrpc.Request. */
export function decodeRequest(bytes: Uint8Array): TtrpcRequest {
  const request = { service: '', method: '', payload: NOTHING, timeoutNano: 0n };
  const isRequest = readFields(bytes, {
    [tag(1, WireType.LengthDelimited)]: (reader) => (request.service = reader.string()),
    [tag(2, WireType.LengthDelimited)]: (reader) => (request.method = reader.string()),
    [tag(3, WireType.LengthDelimited)]: (reader) => (request.payload = reader.bytes()),
    [tag(4, WireType.Varint)]: (reader) => (request.timeoutNano = BigInt(reader.int64())),
  });
  if (!isRequest) {
    throw new RpcError(
      'INVALID_ARGUMENT',
      `expected a ttrpc.Request, got ${bytes.byteLength} bytes that are none`,
    );
  }
  return request;
}

export function encodeAnswer(payload: Uint8Array): Uint8Array {
  return toBinary(ResponseSchema, create(ResponseSchema, { payload }));
}

export function encodeFailure(error: RpcError): Uint8Array {
  const status = { code: RPC_CODES[error.code], message: error.message.slice(0, MAX_MESSAGE_CHARACTERS) };
  return toBinary(ResponseSchema, create(ResponseSchema, { status }));
}

/**
 * The payload of an answer. Throws the RpcError that the server answered with; INTERNAL where the bytes are no
 * ttrpc.Response.
 */
export function decodeResponse(bytes: Uint8Array): Uint8Array {
  let payload = NOTHING;
  let status = NOTHING;
  let code = 0;
  let message = '';
  const isResponse =
    readFields(bytes, {
      [tag(1, WireType.LengthDelimited)]: (reader) => (status = reader.bytes()),
      [tag(2, WireType.LengthDelimited)]: (reader) => (payload = reader.bytes()),
    }) &&
    // An absent status reads as an empty one, and that as code 0.
    readFields(status, {
      [tag(1, WireType.Varint)]: (reader) => (code = reader.int32()),
      [tag(2, WireType.LengthDelimited)]: (reader) => (message = reader.string()),
    });
  if (!isResponse) {
    throw new RpcError('INTERNAL', `expected a ttrpc.Response, got ${bytes.byteLength} bytes that are none`);
  }
  if (code !== 0) throw new RpcError(rpcCodeOf(code), message);
  return payload;
}

type FieldReaders = Readonly<Record<number, (reader: BinaryReader) => unknown>>;

/** The number that a field begins with on the wire. */
function tag(field: number, wireType: WireType): number {
  return (field << 3) | wireType;
}

/** Reads the fields that are named and passes over the others; a repeated one counts as it came last. Whether it was protobuf. */
function readFields(bytes: Uint8Array, readers: FieldReaders): boolean {
  const reader = new BinaryReader(bytes);
  try {
    while (reader.pos < reader.len) {
      const [field, wireType] = reader.tag();
      const read = readers[tag(field, wireType)];
      if (read === undefined) reader.skip(wireType, field);
      else read(reader);
    }
    return reader.pos === reader.len;
  } catch {
    return false; // BinaryReader throws Error and RangeError, and only at bytes that are no protobuf
  }
}
