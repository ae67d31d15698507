import { ByteReader } from '../../../../server/bytes/byte-reader.ts';
import { isFilledWith } from '../../../../server/bytes/byte-strings.ts';
import { isCodedError } from '../../../../server/errors/coded-error.ts';
import { AttesterError } from '../attester-error.ts';

/** TPM 2.0 Part 2, TPM_ALG_ID: digests that servers read, with their bytes. SHA-1 has none of them. */
const DIGEST_BYTES: ReadonlyMap<number, number> = new Map([
  [0x000b, 32],
  [0x000c, 48],
  [0x000d, 64],
  [0x0012, 32],
]);
const STOP_BYTES = 8;
/** pcrIndex, eventType and digest of the first record, which still has the form of TPM 1.2. */
const FIRST_RECORD_HEAD_BYTES = 4 + 4 + 20;

/**
 * The records of a CCEL area (ACPI 6.5, "CC Event Log"), without what follows them: firmware sets aside 64 KiB and more and
 * marks the end with eight bytes of ff, or leaves zeros. Records are passed over by their lengths, since events may have such
 * bytes inside. An area that nobody has written to has no records. Throws AttesterError FIRMWARE_LOG_MALFORMED.
 */
export function firmwareRecords(area: Uint8Array): Uint8Array {
  if (isStop(area)) return area.subarray(0, 0);
  const reader = new ByteReader(area);
  try {
    reader.bytes(FIRST_RECORD_HEAD_BYTES);
    reader.bytes(reader.u32le());
    while (!isStop(area.subarray(reader.offset))) passRecord(reader);
  } catch (cause) {
    if (!isCodedError(cause) || cause instanceof AttesterError) throw cause;
    throw malformed('whole records', `${area.byteLength} bytes that break off`, cause);
  }
  return area.subarray(0, reader.offset);
}

/** The end of the area ends the log too; fewer bytes than a mark takes are none of a record. */
function isStop(rest: Uint8Array): boolean {
  const mark = rest.subarray(0, STOP_BYTES);
  return isFilledWith(mark, 0xff) || isFilledWith(mark, 0x00);
}

function passRecord(reader: ByteReader): void {
  reader.bytes(4 + 4); // pcrIndex, eventType
  const count = reader.u32le(); // digests.count
  if (count > DIGEST_BYTES.size) throw malformed(`at most ${DIGEST_BYTES.size} digests`, `${count}`);
  for (let read = 0; read < count; read++) reader.bytes(digestBytes(reader.u16le()));
  reader.bytes(reader.u32le()); // eventSize, event
}

function digestBytes(id: number): number {
  const bytes = DIGEST_BYTES.get(id);
  if (bytes !== undefined) return bytes;
  throw malformed('digests of SHA-2 or SM3', `algorithm 0x${id.toString(16)}`);
}

function malformed(expected: string, came: string, cause?: unknown): AttesterError {
  return new AttesterError(
    'FIRMWARE_LOG_MALFORMED',
    `expected ${expected} in the firmware's event log, got ${came}`,
    { cause },
  );
}
