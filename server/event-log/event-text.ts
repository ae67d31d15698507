import { isUtf8 } from 'node:buffer';
import { fromUtf8, fromUtf16, toHex } from '../bytes/encoding.ts';
import type { JsonObject } from '../claims/claims.ts';

/* Events that are text, in the forms of their types. Each is `undefined` for an event of another form. */

/** systemd-stub names the sections of a kernel image in UTF-16: `.linux`, `.cmdline`, `.sbat`. */
const SECTION_DOT = [0x2e, 0x00] as const;
const CONTROLS = /\p{Cc}+/gu;
const DATA_LINK_ESCAPE = 0x10;
const SPACE = 0x20;

/** An event that is nothing but UTF-8. */
export function readText(event: Uint8Array): JsonObject | undefined {
  return isUtf8(event) ? { string: fromUtf8(event) } : undefined;
}

/**
 * EV_PLATFORM_CONFIG_FLAGS: td-shim writes a name, lengths and text into one event. What is left without the control
 * characters is what policies compare with, and upstream makes U+0010 (of the length in those events) a space.
 */
export function readPlatformConfigText(event: Uint8Array): JsonObject {
  if (!isUtf8(event)) return { string: '' };
  const spaced = event.map((byte) => (byte === DATA_LINK_ESCAPE ? SPACE : byte));
  return { string: fromUtf8(spaced).replace(CONTROLS, '') };
}

/** EV_IPL: what a boot loader loaded or ran, by convention of shim, GRUB and systemd-stub. */
export function readIplText(event: Uint8Array): JsonObject | undefined {
  if (event.byteLength < SECTION_DOT.length) return undefined;
  if (SECTION_DOT.every((byte, index) => event[index] === byte)) {
    return readSectionName(event.subarray(SECTION_DOT.length));
  }
  const end = event.indexOf(0);
  const text = event.subarray(0, end === -1 ? event.byteLength : end);
  return { string: isUtf8(text) ? fromUtf8(text) : toHex(event) };
}

function readSectionName(bytes: Uint8Array): JsonObject | undefined {
  if (bytes.byteLength % 2 !== 0) return undefined;
  const text = fromUtf16(bytes).toWellFormed();
  const name = text.endsWith('\0') ? text.slice(0, -1) : text;
  return name === '' ? undefined : { string: name };
}

/**
 * The description that begins UEFI_PLATFORM_FIRMWARE_BLOB2 and UEFI_HANDOFF_TABLE_POINTERS2: a length and as many bytes,
 * of which firmware makes the last one NUL, or not.
 */
export function readDescription(event: Uint8Array): JsonObject | undefined {
  const [length] = event;
  if (length === undefined || length > event.byteLength - 1) return undefined;
  const description = event.subarray(1, 1 + length);
  return readText(description.at(-1) === 0 ? description.subarray(0, -1) : description);
}
