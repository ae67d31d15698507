import { createHash } from 'node:crypto';

/** TPM_ALG_ID, size and the name of the hash. Written apart from the server's own table, so that one checks the other. */
const ALGORITHMS = {
  sha1: [0x0004, 20],
  sha256: [0x000b, 32],
  sha384: [0x000c, 48],
  sha512: [0x000d, 64],
  sm3: [0x0012, 32],
} as const;
type FakeLogAlgorithm = keyof typeof ALGORITHMS;

/** A record that a firmware would write; what is not said is right. */
export interface FakeRecord {
  readonly index?: number;
  readonly type?: number;
  readonly event?: Uint8Array | string;
  /** One for each; the digests are those of the event unless `digest` says otherwise. */
  readonly algorithms?: readonly FakeLogAlgorithm[];
  readonly digest?: Uint8Array;
  readonly algorithmId?: number;
  readonly digestCount?: number;
  readonly eventSize?: number;
}

export interface FakeLog {
  readonly algorithms?: readonly FakeLogAlgorithm[];
  readonly records?: readonly FakeRecord[];
  /** How many bytes follow the last record, and of which value. */
  readonly padding?: readonly [length: number, value: number];
  readonly behind?: Uint8Array;
  // The first record.
  readonly headerType?: number;
  readonly headerSize?: number;
  readonly signature?: string;
  readonly table?: readonly (readonly [id: number, size: number])[];
  readonly algorithmCount?: number;
  readonly vendorInfo?: Uint8Array;
  readonly vendorInfoSize?: number;
  readonly headerExtra?: Uint8Array;
}

/** An event log as it lies in memory. */
export function fakeEventLog(log: FakeLog = {}): Uint8Array {
  const { algorithms = ['sha384'], records = [{}], padding: [length, value] = [0, 0] } = log;
  return Buffer.concat([
    fakeHeader(log, algorithms),
    ...records.map((record) => fakeRecord({ algorithms, ...record })),
    Buffer.alloc(length, value),
    log.behind ?? new Uint8Array(),
  ]);
}

function fakeHeader(log: FakeLog, algorithms: readonly FakeLogAlgorithm[]): Uint8Array {
  const table = log.table ?? algorithms.map((algorithm) => ALGORITHMS[algorithm]);
  const vendorInfo = log.vendorInfo ?? new Uint8Array();
  const event = Buffer.concat([
    Buffer.from(log.signature ?? 'Spec ID Event03\0'),
    Buffer.from([0, 0, 0, 0, 0, 2, 0, 2]), // platformClass, version 2.0, errata, uintnSize
    u32(log.algorithmCount ?? table.length),
    ...table.map(([id, size]) => Buffer.concat([u16(id), u16(size)])),
    Buffer.from([log.vendorInfoSize ?? vendorInfo.byteLength]),
    vendorInfo,
    log.headerExtra ?? new Uint8Array(),
  ]);
  return Buffer.concat([
    u32(1),
    u32(log.headerType ?? 3),
    Buffer.alloc(20),
    u32(log.headerSize ?? event.byteLength),
    event,
  ]);
}

export function fakeRecord(record: FakeRecord): Uint8Array {
  const { index = 1, type = 4, algorithms = ['sha384'] } = record;
  const event = Buffer.from(record.event ?? '\0\0\0\0');
  const digests = algorithms.map((algorithm) => {
    const digest = record.digest ?? createHash(algorithm).update(event).digest();
    return Buffer.concat([u16(record.algorithmId ?? ALGORITHMS[algorithm][0]), digest]);
  });
  return Buffer.concat([
    u32(index),
    u32(type),
    u32(record.digestCount ?? digests.length),
    ...digests,
    u32(record.eventSize ?? event.byteLength),
    event,
  ]);
}

/** What the register of a confidential guest holds after these digests. */
export function fakeRegister(
  algorithm: FakeLogAlgorithm,
  digests: readonly Uint8Array[],
  initial = 0,
): Uint8Array {
  return digests.reduce<Uint8Array>(
    (old, digest) => createHash(algorithm).update(old).update(digest).digest(),
    Buffer.alloc(ALGORITHMS[algorithm][1], initial),
  );
}

/** TCG_PCClientTaggedEvent. */
export function fakeTaggedEvent(id: number, content: Uint8Array | string, size?: number): Uint8Array {
  const bytes = Buffer.from(content);
  return Buffer.concat([u32(id), u32(size ?? bytes.byteLength), bytes]);
}

/** An entry as the attestation agent of Confidential Containers writes it, by default into the last register of a TD. */
export function fakeAaelRecord(entry: Uint8Array | string, record: FakeRecord = {}): FakeRecord {
  return { index: 4, type: 6, event: fakeTaggedEvent(0x4141454c, entry), ...record };
}

/** UEFI_VARIABLE_DATA; `guid` in hex as it lies in memory. */
export function fakeVariable(
  guid: string,
  name: Uint8Array | string,
  data: Uint8Array,
  lengths: { readonly name?: bigint; readonly data?: bigint } = {},
): Uint8Array {
  const nameBytes = typeof name === 'string' ? Buffer.from(name, 'utf16le') : name;
  return Buffer.concat([
    Buffer.from(guid, 'hex'),
    u64(lengths.name ?? BigInt(nameBytes.byteLength / 2)),
    u64(lengths.data ?? BigInt(data.byteLength)),
    nameBytes,
    data,
  ]);
}

/** UEFI_IMAGE_LOAD_EVENT. */
export function fakeImageLoad(path: Uint8Array, pathLength = BigInt(path.byteLength)): Uint8Array {
  return Buffer.concat([u64(0x7f00_0000n), u64(0x1000n), u64(0n), u64(pathLength), path]);
}

/** A device path of nodes `[type, subtype, payload in hex]`, and the node that ends it. */
export function fakeDevicePath(
  ...nodes: readonly (readonly [type: number, subtype: number, payload: string])[]
): Uint8Array {
  return Buffer.concat([
    ...nodes.map(([type, subtype, payload]) => fakeNode(type, subtype, payload)),
    fakeNode(0x7f, 0xff),
  ]);
}

export function fakeNode(type: number, subtype: number, payload = '', length?: number): Uint8Array {
  const bytes = Buffer.from(payload, 'hex');
  return Buffer.concat([Buffer.from([type, subtype]), u16(length ?? 4 + bytes.byteLength), bytes]);
}

function u16(value: number): Uint8Array {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(value);
  return bytes;
}

function u32(value: number): Uint8Array {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function u64(value: bigint): Uint8Array {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value);
  return bytes;
}
