import { ByteReader } from '../bytes/byte-reader.ts';
import { toHex } from '../bytes/encoding.ts';

/* Messaging device paths (UEFI 2.10, chapter 10.3.4). Each is `undefined` for a payload of another form. */

const MAC_BYTES = 32;
/** Of interface types 0 and 1, Ethernet. */
const ETHERNET_BYTES = 6;
/** EFI 1.10 had no gateway and no subnet mask. */
const SHORT_IPV4_BYTES = 15;
const IPV4_BYTES = 23;
const FIBRE_CHANNEL_BYTES = 20;

const PROTOCOLS: ReadonlyMap<number, string> = new Map([
  [6, 'TCP'],
  [17, 'UDP'],
]);
const ADDRESS_ORIGINS: ReadonlyMap<number, string> = new Map([
  [0, 'DHCP'],
  [1, 'Static'],
]);

/** USB: parent port, interface. */
export function usbText(payload: Uint8Array): string | undefined {
  if (payload.byteLength !== 2) return undefined;
  const [port = 0, usbInterface = 0] = payload;
  return `USB(${port},${usbInterface})`;
}

/** MAC Address. How many of the 32 bytes are the address follows from the interface, not from zeros at its end. */
export function macText(payload: Uint8Array): string | undefined {
  if (payload.byteLength !== MAC_BYTES + 1) return undefined;
  const interfaceType = payload[MAC_BYTES] ?? 0; // IfType
  const address = payload.subarray(0, interfaceType <= 1 ? ETHERNET_BYTES : MAC_BYTES);
  return `Mac(${toHex(address).toUpperCase()},0x${toHex(Uint8Array.of(interfaceType))})`;
}

/** IPv4: `IPv4(remote,protocol,origin,local[,gateway,mask])`; addresses lie in network order. */
export function ipv4Text(payload: Uint8Array): string | undefined {
  if (payload.byteLength !== IPV4_BYTES && payload.byteLength !== SHORT_IPV4_BYTES) return undefined;
  const reader = new ByteReader(payload);
  const local = dotted(reader.bytes(4)); // Local IP Address
  const remote = dotted(reader.bytes(4)); // Remote IP Address
  reader.bytes(2 + 2); // Local Port, Remote Port
  const protocol = PROTOCOLS.get(reader.u16le()) ?? ''; // Protocol
  const origin = ADDRESS_ORIGINS.get(reader.u8()) ?? ''; // StaticIPAddress
  const route = reader.bytes(reader.remaining); // GatewayIPAddress, SubnetMask
  const hasRoute = route.some((byte) => byte !== 0);
  const routeText = hasRoute ? `,${dotted(route.subarray(0, 4))},${dotted(route.subarray(4))}` : '';
  return `IPv4(${remote},${protocol},${origin},${local}${routeText})`;
}

/** Fibre Channel Ex: world wide name and logical unit, both byte 0 first. */
export function fibreChannelText(payload: Uint8Array): string | undefined {
  if (payload.byteLength !== FIBRE_CHANNEL_BYTES) return undefined;
  const reader = new ByteReader(payload);
  reader.bytes(4); // Reserved
  return `FibreEx(0x${toHex(reader.bytes(8))},0x${toHex(reader.bytes(8))})`;
}

function dotted(address: Uint8Array): string {
  return address.join('.');
}
