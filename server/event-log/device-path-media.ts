import { ByteReader } from '../bytes/byte-reader.ts';
import { fromUtf16, toHex } from '../bytes/encoding.ts';
import { GUID_BYTES, guidText } from './guid.ts';

/* Media device paths (UEFI 2.10, chapter 10.3.5). Each is `undefined` for a payload of another form. */

const HARD_DRIVE_BYTES = 38;
const MBR = 1;
const GPT = 2;

/** Hard Drive: the partition, and where it lies unless it is the whole disk. */
export function hardDriveText(payload: Uint8Array): string | undefined {
  if (payload.byteLength !== HARD_DRIVE_BYTES) return undefined;
  const reader = new ByteReader(payload);
  const partition = reader.u32le(); // Partition Number
  const start = reader.u64le(); // Partition Start
  const size = reader.u64le(); // Partition Size
  const signature = signatureText(reader.bytes(GUID_BYTES), reader.u8()); // Partition Signature, Partition Format
  if (signature === undefined) return undefined;
  const place = partition === 0 ? '' : `,0x${start.toString(16)},0x${size.toString(16)}`;
  return `HD(${partition},${signature}${place})`;
}

function signatureText(signature: Uint8Array, format: number): string | undefined {
  switch (format) {
    case GPT:
      return `GPT,${guidText(signature)}`;
    case MBR:
      return `MBR,0x${toHex(signature.subarray(0, 4).toReversed())}`;
    default:
      return undefined;
  }
}

/** Vendor: a GUID, and what only the vendor can read. */
export function vendorMediaText(payload: Uint8Array): string | undefined {
  if (payload.byteLength < GUID_BYTES) return undefined;
  return `VenMedia(${guidText(payload.subarray(0, GUID_BYTES))},${toHex(payload.subarray(GUID_BYTES))})`;
}

/** File Path, which ends with a NUL. */
export function filePathText(payload: Uint8Array): string | undefined {
  if (payload.byteLength === 0 || payload.byteLength % 2 !== 0) return undefined;
  const path = fromUtf16(payload).toWellFormed();
  return `File(${path.endsWith('\0') ? path.slice(0, -1) : path})`;
}
