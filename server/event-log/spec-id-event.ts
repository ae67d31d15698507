import type { ByteReader } from '../bytes/byte-reader.ts';
import { bytesEqual, isFilledWith } from '../bytes/byte-strings.ts';
import { toUtf8 } from '../bytes/encoding.ts';
import { type DigestAlgorithm, findDigestAlgorithm } from './digest-algorithm.ts';
import { EventLogError } from './event-log-error.ts';
import { EV_NO_ACTION } from './event-types.ts';

const SIGNATURE = toUtf8('Spec ID Event03\0');
/** TCG_PCClientPCREvent still has room for a digest of SHA-1. */
const SHA1_BYTES = 20;

/** The algorithms whose digests the records carry, by their TPM_ALG_ID. */
export type AlgorithmTable = ReadonlyMap<number, DigestAlgorithm>;

/**
 * Reads the first record of a log, which says that it is crypto-agile (TCG PC Client Platform Firmware Profile,
 * TCG_PCClientPCREvent holding a TCG_EfiSpecIDEvent). Nothing of it is measured, so nothing of it is shown: its index and
 * its digest are passed over. Throws EventLogError EVENT_LOG_HEADER_MALFORMED, EVENT_LOG_ALGORITHM_UNSUPPORTED;
 * MalformedError TRUNCATED, TRAILING_BYTES.
 */
export function readSpecIdEvent(reader: ByteReader): AlgorithmTable {
  reader.u32le(); // pcrIndex: 0 for a TPM, 1 in the logs of OVMF for TDX
  const type = reader.u32le(); // eventType
  if (type !== EV_NO_ACTION)
    throw malformed(`a first event of type EV_NO_ACTION, got 0x${type.toString(16)}`);
  reader.bytes(SHA1_BYTES); // digest
  return readAlgorithms(reader.nested(reader.u32le())); // eventSize, event
}

function readAlgorithms(event: ByteReader): AlgorithmTable {
  const signature = event.bytes(SIGNATURE.byteLength);
  // Guests of Confidential Containers whose firmware has no log begin one themselves, and leave the signature blank.
  if (!bytesEqual(signature, SIGNATURE) && !isFilledWith(signature, 0)) {
    throw malformed('a first event with the signature "Spec ID Event03", or a blank one, got another');
  }
  event.bytes(4); // platformClass
  event.bytes(4); // specVersionMinor, specVersionMajor, specErrata, uintnSize
  const count = event.u32le(); // numberOfAlgorithms
  const table = new Map<number, DigestAlgorithm>();
  // A table with an algorithm twice is refused, so that the loop ends after as many as we know.
  for (let read = 0; read < count; read++) addAlgorithm(table, event.u16le(), event.u16le()); // digestSizes
  event.bytes(event.u8()); // vendorInfoSize, vendorInfo
  event.end();
  if (table.size === 0) throw malformed('at least one digest algorithm, got none');
  return table;
}

function addAlgorithm(table: Map<number, DigestAlgorithm>, id: number, size: number): void {
  const algorithm = findDigestAlgorithm(id);
  if (algorithm === undefined) {
    throw new EventLogError(
      'EVENT_LOG_ALGORITHM_UNSUPPORTED',
      `expected digests of SHA-1, SHA-256, SHA-384, SHA-512 or SM3, got algorithm 0x${id.toString(16)}`,
    );
  }
  if (size !== algorithm.size) {
    throw malformed(`${algorithm.name} digests of ${algorithm.size} bytes, got ${size}`);
  }
  if (table.has(id)) throw malformed(`each digest algorithm once, got ${algorithm.name} twice`);
  table.set(id, algorithm);
}

function malformed(expected: string): EventLogError {
  return new EventLogError('EVENT_LOG_HEADER_MALFORMED', `expected ${expected}`);
}
