import { ByteReader } from '../bytes/byte-reader.ts';
import { fromUtf16, toBase64 } from '../bytes/encoding.ts';
import type { JsonObject } from '../claims/claims.ts';
import { GUID_BYTES, guidBytesText } from './guid.ts';

const HEADER_BYTES = GUID_BYTES + 8 + 8;

/**
 * UEFI_VARIABLE_DATA (TCG PC Client Platform Firmware Profile), under the names of upstream: `variable_name` is the vendor's
 * GUID, `unicode_name` the name. `undefined` for an event of another form.
 */
export function readEfiVariable(event: Uint8Array): JsonObject | undefined {
  if (event.byteLength < HEADER_BYTES) return undefined;
  const reader = new ByteReader(event);
  const vendor = reader.bytes(GUID_BYTES); // VariableName
  const nameLength = Number(reader.u64le()); // UnicodeNameLength, in characters
  const dataLength = Number(reader.u64le()); // VariableDataLength
  if (nameLength * 2 + dataLength !== reader.remaining) return undefined;
  const name = fromUtf16(reader.bytes(nameLength * 2)); // UnicodeName
  if (!name.isWellFormed()) return undefined;
  return {
    unicode_name: name,
    unicode_name_length: nameLength,
    variable_data: toBase64(reader.bytes(dataLength)), // VariableData
    variable_data_length: dataLength,
    variable_name: guidBytesText(vendor),
  };
}
