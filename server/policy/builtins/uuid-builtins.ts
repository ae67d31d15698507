import { fromHex, toHex } from '../../bytes/encoding.ts';
import { type ExactJson, exactJson, type HostBuiltins, onText } from './host-builtin.ts';

/** The forms that Go's uuid package reads: plain, as a URN, in braces, or 32 hex digits. */
const FORMS = [
  /^(?:urn:uuid:)?([0-9a-f]{8})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{12})$/i,
  /^\{([0-9a-f]{8})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{12})\}$/i,
  /^([0-9a-f]{32})$/i,
] as const;

/** 100 ns steps from the Gregorian reform (1582-10-15) to 1970 (RFC 9562, section 5.1). */
const GREGORIAN_TO_UNIX = 0x01b21dd213814000n;

/** UUIDs are read, never made: a policy's verdict depends on nothing random. */
export const uuidBuiltins: HostBuiltins = { 'uuid.parse': onText(parseUuid) };

/** Version and variant; of a version 1 UUID also time, node and clock sequence. */
function parseUuid(text: string): ExactJson | undefined {
  const match = FORMS.map((form) => form.exec(text)).find((found) => found !== null);
  if (match === undefined) return undefined;
  const bytes = fromHex(match.slice(1).join(''));
  const version = (bytes[6] ?? 0) >> 4;
  if (version === 2) return undefined; // DCE Security: not in use, and its meaning depends on the host
  const fields = [`"version":${version}`, `"variant":"${variantOf(bytes[8] ?? 0)}"`];
  return exactJson(`{${[...fields, ...(version === 1 ? timeFields(bytes) : [])].join(',')}}`);
}

function variantOf(octet: number): string {
  if ((octet & 0xc0) === 0x80) return 'RFC4122';
  if ((octet & 0xe0) === 0xc0) return 'Microsoft';
  return (octet & 0xe0) === 0xe0 ? 'Future' : 'Reserved';
}

function timeFields(bytes: Uint8Array): readonly string[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const high = BigInt(view.getUint16(6) & 0x0fff);
  const steps = (high << 48n) | (BigInt(view.getUint16(4)) << 32n) | BigInt(view.getUint32(0));
  const node = [...bytes.subarray(10)].map((octet) => toHex(Uint8Array.of(octet))).join('-');
  const first = bytes[10] ?? 0;
  const scope = `${(first & 2) === 0 ? 'global' : 'local'}:${(first & 1) === 0 ? 'unicast' : 'multicast'}`;
  return [
    `"time":${(steps - GREGORIAN_TO_UNIX) * 100n}`,
    `"nodeid":"${node}"`,
    `"macvariables":"${scope}"`,
    `"clocksequence":${view.getUint16(8) & 0x3fff}`,
  ];
}
