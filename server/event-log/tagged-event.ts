import { isUtf8 } from 'node:buffer';
import { ByteReader } from '../bytes/byte-reader.ts';
import { fromUtf8 } from '../bytes/encoding.ts';
import type { JsonObject } from '../claims/claims.ts';
import { parseAaelEntry } from './aael-entry.ts';

const HEADER_BYTES = 4 + 4;
/** "AAEL", the event log of the Confidential Containers attestation agent. */
const AAEL = 0x4141_454c;
const NULS = /\0+/g;
const lossyUtf8 = new TextDecoder('utf-8', { ignoreBOM: true });

/**
 * TCG_PCClientTaggedEvent: text of whoever owns the tag, and for the attestation agent's also its parts. `undefined` for an
 * event of another form.
 */
export function readTaggedEvent(event: Uint8Array): JsonObject | undefined {
  if (event.byteLength < HEADER_BYTES) return undefined;
  const reader = new ByteReader(event);
  const id = reader.u32le(); // taggedEventID
  if (reader.u32le() !== reader.remaining) return undefined; // taggedEventDataSize
  const content = reader.bytes(reader.remaining); // taggedEventData
  const string = lossyUtf8.decode(content).replace(NULS, '');
  if (id !== AAEL) return { string };
  const entry = isUtf8(content) ? parseAaelEntry(fromUtf8(content)) : undefined;
  return entry && { string, unicode_name: 'AAEL', data: entry };
}
