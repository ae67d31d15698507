import { toHex } from '../bytes/encoding.ts';

export const GUID_BYTES = 16;
/** The first three fields of EFI_GUID are little-endian integers. */
const TEXT_ORDER = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15] as const;

/** EFI_GUID as everybody writes it (RFC 4122), in upper case. */
export function guidText(guid: Uint8Array): string {
  return grouped(toHex(Uint8Array.from(TEXT_ORDER, (index) => guid[index] ?? 0))).toUpperCase();
}

/** The sixteen bytes in the order in which they lie in memory, in groups: how upstream names EFI variables. */
export function guidBytesText(guid: Uint8Array): string {
  return grouped(toHex(guid));
}

function grouped(hex: string): string {
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
