import { isUtf8 } from 'node:buffer';
import { ByteReader } from '../bytes/byte-reader.ts';
import { fromUtf8, toHex } from '../bytes/encoding.ts';
import { filePathText, hardDriveText, vendorMediaText } from './device-path-media.ts';
import { fibreChannelText, ipv4Text, macText, usbText } from './device-path-messaging.ts';

const HEADER_BYTES = 4;
/** From the root bridge to a file behind two more bridges it takes seven. */
const MAX_NODES = 16;
const END = 0x7f;
const END_ENTIRE = 0xff;

/** The text of a node from what follows its header; `undefined` where that does not have the form of its type. */
type NodeText = (payload: Uint8Array) => string | undefined;

/** By type and subtype (UEFI 2.10, chapter 10.3). */
const NODES: ReadonlyMap<number, NodeText> = new Map<number, NodeText>([
  [0x0101, pciText],
  [0x0201, acpiText],
  [0x0305, usbText],
  [0x030b, macText],
  [0x030c, ipv4Text],
  [0x0315, fibreChannelText],
  [0x0401, hardDriveText],
  [0x0403, vendorMediaText],
  [0x0404, filePathText],
  [0x0501, biosBootText],
]);

/** BBS device types (UEFI 2.10, "BIOS Boot Specification Device Path"). */
const BIOS_DEVICES: ReadonlyMap<number, string> = new Map([
  [0x01, 'FLOPPY'],
  [0x02, 'HARD_DRIVE'],
  [0x03, 'CDROM'],
  [0x04, 'PCMCIA'],
  [0x05, 'USB'],
  [0x06, 'EMBEDDED_NETWORK'],
  [0x80, 'DEV'],
  [0xff, 'UNKNOWN'],
]);

/**
 * EFI_DEVICE_PATH_PROTOCOL: a text for each node before the one that ends the whole path, which has to be there and to be
 * the last. Nodes that we do not know, or that do not have the form of their type, are `Path(type,subtype,hex)`.
 * `undefined` for a path of another form, or of more than 16 nodes.
 */
export function readDevicePath(path: Uint8Array): readonly string[] | undefined {
  const reader = new ByteReader(path);
  const texts: string[] = [];
  while (reader.remaining >= HEADER_BYTES) {
    const type = reader.u8();
    const subtype = reader.u8();
    const payloadLength = reader.u16le() - HEADER_BYTES; // the length counts the header
    // Negative: such a node would be followed by itself.
    if (payloadLength < 0 || payloadLength > reader.remaining) return undefined;
    if (type === END && subtype === END_ENTIRE) return reader.remaining === 0 ? texts : undefined;
    if (texts.length === MAX_NODES) return undefined;
    texts.push(nodeText(type, subtype, reader.bytes(payloadLength)));
  }
  return undefined;
}

function nodeText(type: number, subtype: number, payload: Uint8Array): string {
  const text = NODES.get((type << 8) | subtype)?.(payload);
  return text ?? `Path(${type},${subtype},${toHex(payload)})`;
}

function pciText(payload: Uint8Array): string | undefined {
  if (payload.byteLength !== 2) return undefined;
  const [pciFunction = 0, device = 0] = payload;
  return `Pci(${pciFunction},${device})`;
}

function acpiText(payload: Uint8Array): string | undefined {
  if (payload.byteLength !== 8) return undefined;
  const reader = new ByteReader(payload);
  const vendor = reader.u16le(); // _HID: three letters of five bits each
  const product = reader.u16le();
  const letters = [10, 5, 0].map((shift) => String.fromCharCode(0x40 + ((vendor >> shift) & 0x1f))).join('');
  return `ACPI(${letters}${product.toString(16).toUpperCase().padStart(4, '0')},${reader.u32le()})`; // _UID
}

function biosBootText(payload: Uint8Array): string | undefined {
  const end = payload.indexOf(0, 4);
  const description = payload.subarray(4, end);
  if (end === -1 || !isUtf8(description)) return undefined;
  const reader = new ByteReader(payload);
  const device = reader.u16le(); // Device Type
  const status = reader.u16le(); // Status Flag
  return `BBS(${BIOS_DEVICES.get(device) ?? device},${fromUtf8(description)},${status})`;
}
