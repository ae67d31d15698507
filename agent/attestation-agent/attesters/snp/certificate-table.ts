import { ByteReader } from '../../../../server/bytes/byte-reader.ts';
import { isFilledWith } from '../../../../server/bytes/byte-strings.ts';
import { toHex } from '../../../../server/bytes/encoding.ts';
import { AttesterError } from '../attester-error.ts';

/** A certificate as the host supplied it, DER or PEM. */
export interface TableCertificate {
  /** `VCEK`, `VLEK`, `ASK`, `ARK`, `CRL`, or the GUID of something else. */
  readonly type: string | { readonly OTHER: string };
  readonly bytes: Uint8Array;
}

/** AMD 56421 (GHCB), SNP Extended Guest Request: GUIDs in the order of their text. */
const TYPES: ReadonlyMap<string, string> = new Map([
  ['c0b406a4-a803-4952-9743-3fb6014cd0ae', 'ARK'],
  ['4ab7b379-bbac-4fe4-a02f-05aef327c782', 'ASK'],
  ['63da758d-e664-4564-adc5-f4b93be8accd', 'VCEK'],
  ['a8074bc2-a25a-483e-aae6-39c045a0b8a1', 'VLEK'],
  ['92f81bc3-5811-4d3d-97ff-d19f88dc67ea', 'CRL'],
]);
const ENTRY_BYTES = 16 + 4 + 4;
/** What servers read. Real tables have three or four entries. */
const MAX_ENTRIES = 8;

/**
 * Reads the table that the host puts beside a report: entries of GUID, offset and length up to one of zeros, offsets from the
 * start of the table. No bytes, or zeros only: the host has no certificates. Throws AttesterError
 * CERTIFICATE_TABLE_MALFORMED.
 */
export function readCertificateTable(table: Uint8Array): readonly TableCertificate[] {
  const reader = new ByteReader(table);
  const certificates: TableCertificate[] = [];
  while (reader.remaining >= ENTRY_BYTES) {
    const guid = reader.bytes(16);
    const offset = reader.u32le();
    const length = reader.u32le();
    if (isFilledWith(guid, 0)) return certificates;
    if (certificates.length === MAX_ENTRIES) throw malformed(`at most ${MAX_ENTRIES} entries`, 'more');
    if (offset + length > table.byteLength) {
      throw malformed(`a certificate within ${table.byteLength} bytes`, `one up to ${offset + length}`);
    }
    certificates.push({ type: typeOf(guid), bytes: table.subarray(offset, offset + length) });
  }
  if (table.byteLength === 0) return certificates;
  throw malformed('an entry of zeros at the end', 'none');
}

function typeOf(guid: Uint8Array): TableCertificate['type'] {
  const text = toHex(guid).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
  return TYPES.get(text) ?? { OTHER: text };
}

function malformed(expected: string, came: string): AttesterError {
  return new AttesterError(
    'CERTIFICATE_TABLE_MALFORMED',
    `expected the host's certificate table to have ${expected}, got ${came}`,
  );
}
