import { ByteReader } from '../../../server/bytes/byte-reader.ts';
import { bytesEqual } from '../../../server/bytes/byte-strings.ts';
import { isCodedError } from '../../../server/errors/coded-error.ts';
import { hashId, type RegisterHash, registerBytes } from './aael-event.ts';
import type { DurableFiles } from './durable-files.ts';
import { RuntimeMeasurementError } from './runtime-measurement-error.ts';
import { storing } from './storing.ts';

/** Servers read 2048 records in 512 KiB, and the firmware's own come first. */
const MAX_LOG_BYTES = 384 * 1024;
const MAX_LOG_RECORDS = 1536;
/** pcrIndex, eventType */
const RECORD_HEAD_BYTES = 4 + 4;

/**
 * How many records a log of ours holds. Throws RuntimeMeasurementError EVENT_LOG_MALFORMED where it is not made of whole
 * records: another would be read wrong behind it.
 */
export function countRecords(log: Uint8Array, hash: RegisterHash): number {
  const reader = new ByteReader(log);
  let count = 0;
  try {
    for (; reader.remaining > 0; count++) passRecord(reader, hash);
  } catch (cause) {
    if (!isCodedError(cause)) throw cause;
    throw new RuntimeMeasurementError(
      'EVENT_LOG_MALFORMED',
      `expected whole records of ${hash} in the event log, got something else behind ${count} of them`,
      { cause },
    );
  }
  return count;
}

function passRecord(reader: ByteReader, hash: RegisterHash): void {
  reader.bytes(RECORD_HEAD_BYTES);
  const count = reader.u32le();
  const id = reader.u16le();
  if (count !== 1 || id !== hashId(hash)) {
    throw new RuntimeMeasurementError('EVENT_LOG_MALFORMED', `expected one digest of ${hash}, got others`);
  }
  reader.bytes(registerBytes(hash));
  reader.bytes(reader.u32le());
}

/** The log as the operating system keeps it. Throws RuntimeMeasurementError EVENT_LOG_FAILED, EVENT_LOG_MALFORMED. */
export interface LogFile {
  /** `undefined` where there is none yet. */
  read(): Promise<Uint8Array | undefined>;
  /** Has this record at this place, and nothing behind it unless it was there already. */
  put(offset: number, record: Uint8Array): Promise<void>;
}

export function createLogFile(files: DurableFiles, path: string): LogFile {
  const read = async (): Promise<Uint8Array | undefined> => {
    const log = await storing(async () => await files.read(path, MAX_LOG_BYTES));
    if (log === undefined || log.byteLength <= MAX_LOG_BYTES) return log;
    throw new RuntimeMeasurementError(
      'EVENT_LOG_MALFORMED',
      `expected at most ${MAX_LOG_BYTES} bytes of event log, got more`,
    );
  };
  return {
    read,
    async put(offset, record) {
      const there = (await read())?.subarray(offset, offset + record.byteLength);
      if (there !== undefined && bytesEqual(there, record)) return;
      await storing(async () => {
        await files.write(path, offset, record);
      });
    },
  };
}

/** Throws RuntimeMeasurementError EVENT_LOG_FULL; EVENT_LOG_MALFORMED as countRecords. */
export function requireRoom(log: Uint8Array, record: Uint8Array, hash: RegisterHash): void {
  const records = countRecords(log, hash);
  if (log.byteLength + record.byteLength <= MAX_LOG_BYTES && records < MAX_LOG_RECORDS) return;
  throw new RuntimeMeasurementError(
    'EVENT_LOG_FULL',
    `expected at most ${MAX_LOG_RECORDS} records in ${MAX_LOG_BYTES} bytes, which is what servers read, got more`,
  );
}
