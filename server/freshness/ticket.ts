import { createHmac, type KeyObject, timingSafeEqual } from 'node:crypto';
import { concatBytes } from '../bytes/byte-strings.ts';
import { toUtf8 } from '../bytes/encoding.ts';
import { CodedError } from '../errors/coded-error.ts';

export type TicketErrorCode = 'TICKET_FORGED' | 'TICKET_EXPIRED';

/** A ticket that proves nothing: not ours, or past its time. */
export class TicketError extends CodedError<TicketErrorCode> {}

/** Keys that tickets are authenticated with: the newest makes them, all of them are accepted. Secrets of 32 bytes. */
export type TicketKeys = readonly [KeyObject, ...KeyObject[]];

const VERSION = 1;
const EXPIRY_BYTES = 6;
const HEADER_BYTES = 1 + EXPIRY_BYTES;
/** Half of HMAC-SHA-256 (RFC 2104, section 5): 2^128 tries to forge. */
const MAC_BYTES = 16;

/**
 * Bytes that prove that we issued them, for what, and until when, so that nothing has to be stored at issue:
 * version (1) ‖ expiry in milliseconds (6, big-endian) ‖ payload ‖ MAC (16) over the purpose and all of it.
 */
export function mintTicket(
  keys: TicketKeys,
  purpose: string,
  payload: Uint8Array,
  expiresAt: Date,
): Uint8Array {
  const header = new Uint8Array(HEADER_BYTES);
  const view = new DataView(header.buffer);
  view.setUint8(0, VERSION);
  view.setUint16(1, Math.floor(expiresAt.getTime() / 2 ** 32));
  view.setUint32(3, expiresAt.getTime() % 2 ** 32);
  const content = concatBytes(header, payload);
  return concatBytes(content, macOf(keys[0], purpose, content));
}

export interface OpenTicket {
  readonly payload: Uint8Array;
  readonly expiresAt: Date;
}

/** The payload of a ticket of ours. Throws TicketError TICKET_FORGED, TICKET_EXPIRED. */
export function openTicket(keys: TicketKeys, purpose: string, ticket: Uint8Array, at: Date): OpenTicket {
  if (ticket.byteLength < HEADER_BYTES + MAC_BYTES || ticket[0] !== VERSION) throw forged();
  const content = ticket.subarray(0, -MAC_BYTES);
  const mac = ticket.subarray(-MAC_BYTES);
  if (!keys.some((key) => timingSafeEqual(macOf(key, purpose, content), mac))) throw forged();
  const view = new DataView(content.buffer, content.byteOffset, HEADER_BYTES);
  const expiresAt = new Date(view.getUint16(1) * 2 ** 32 + view.getUint32(3));
  if (at >= expiresAt)
    throw new TicketError('TICKET_EXPIRED', `expected use before ${expiresAt.toISOString()}`);
  return { payload: content.subarray(HEADER_BYTES), expiresAt };
}

function forged(): TicketError {
  return new TicketError('TICKET_FORGED', 'expected a ticket that this service issued, got something else');
}

/** The purpose comes first and is delimited, so that a ticket for one purpose is none for another. */
function macOf(key: KeyObject, purpose: string, content: Uint8Array): Uint8Array {
  return createHmac('sha256', key)
    .update(toUtf8(`${purpose}\0`))
    .update(content)
    .digest()
    .subarray(0, MAC_BYTES);
}
