import { ByteReader } from '../bytes/byte-reader.ts';
import { isFilledWith } from '../bytes/byte-strings.ts';
import type { DigestAlgorithm } from './digest-algorithm.ts';
import { EventLogError } from './event-log-error.ts';
import { type AlgorithmTable, readSpecIdEvent } from './spec-id-event.ts';

/** Boots write a hundred records, launched containers a few more each. */
const MAX_RECORDS = 2048;
/** Padding apart. Firmware sets aside 64 KiB, some of it 256 KiB, and a boot fills a tenth of it. */
const MAX_RECORD_BYTES = 512 * 1024;

export interface EventDigest {
  readonly algorithm: DigestAlgorithm;
  readonly digest: Uint8Array;
}

/**
 * TCG_PCR_EVENT2 as it stands, read but not believed. A replay proves the digests and their order. It does not prove
 * `type`, and `event` only where it is what was hashed.
 */
export interface EventRecord {
  /** The number of a PCR, or of a measurement register of a confidential guest (0: build time, 1 and up: run time). */
  readonly index: number;
  readonly type: number;
  /** At least one; each algorithm at most once. */
  readonly digests: readonly EventDigest[];
  readonly event: Uint8Array;
}

export interface EventLog {
  /** Without the first record, which only says how to read the others. */
  readonly records: readonly EventRecord[];
}

/**
 * Reads a crypto-agile event log: the CCEL table of a confidential guest, or that of a TPM (TCG PC Client Platform Firmware
 * Profile, "Event Logging"). Logs are areas that firmware sets aside: behind the last record, 00 or ff repeats to the end.
 * At most 2048 records in 512 KiB. Views share memory with the input. Throws EventLogError EVENT_LOG_HEADER_MALFORMED,
 * EVENT_LOG_ALGORITHM_UNSUPPORTED, EVENT_LOG_DIGESTS_MALFORMED, EVENT_LOG_TOO_LARGE, EVENT_LOG_TRAILING_BYTES;
 * MalformedError TRUNCATED, TRAILING_BYTES.
 */
export function parseEventLog(bytes: Uint8Array): EventLog {
  const reader = new ByteReader(bytes);
  const algorithms = readSpecIdEvent(reader);
  const records: EventRecord[] = [];
  while (!isPadding(bytes.subarray(reader.offset))) {
    records.push(readRecord(reader, algorithms));
    if (records.length > MAX_RECORDS || reader.offset > MAX_RECORD_BYTES) {
      throw new EventLogError(
        'EVENT_LOG_TOO_LARGE',
        `expected at most ${MAX_RECORDS} records in ${MAX_RECORD_BYTES} bytes, got more`,
      );
    }
  }
  return { records };
}

/** What follows the last record. A record may begin with zeros, when it is of register 0 and type 0, but has digests. */
function isPadding(rest: Uint8Array): boolean {
  if (isFilledWith(rest, 0x00) || isFilledWith(rest, 0xff)) return true;
  if (isFilledWith(rest.subarray(0, 12), 0x00) || isFilledWith(rest.subarray(0, 8), 0xff)) {
    throw new EventLogError(
      'EVENT_LOG_TRAILING_BYTES',
      `expected one byte value to repeat behind the last record, got others in the last ${rest.byteLength} bytes`,
    );
  }
  return false;
}

function readRecord(reader: ByteReader, algorithms: AlgorithmTable): EventRecord {
  return {
    index: reader.u32le(), // pcrIndex, mrIndex
    type: reader.u32le(), // eventType
    digests: readDigests(reader, algorithms), // digests, a TPML_DIGEST_VALUES
    event: reader.bytes(reader.u32le()), // eventSize, event
  };
}

function readDigests(reader: ByteReader, algorithms: AlgorithmTable): readonly EventDigest[] {
  const count = reader.u32le();
  if (count === 0 || count > algorithms.size) {
    throw malformed(`1 to ${algorithms.size} digests`, `${count}`);
  }
  const digests: EventDigest[] = [];
  for (let read = 0; read < count; read++) {
    const id = reader.u16le();
    const algorithm = algorithms.get(id);
    if (algorithm === undefined) throw malformed('an algorithm of the first event', `0x${id.toString(16)}`);
    if (digests.some((other) => other.algorithm === algorithm)) {
      throw malformed('one digest of each algorithm', `two of ${algorithm.name}`);
    }
    digests.push({ algorithm, digest: reader.bytes(algorithm.size) });
  }
  return digests;
}

function malformed(expected: string, came: string): EventLogError {
  return new EventLogError('EVENT_LOG_DIGESTS_MALFORMED', `expected ${expected} in a record, got ${came}`);
}
