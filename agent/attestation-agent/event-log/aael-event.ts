import { createHash } from 'node:crypto';
import { concatBytes } from '../../../server/bytes/byte-strings.ts';
import { toUtf8 } from '../../../server/bytes/encoding.ts';
import { RuntimeMeasurementError } from './runtime-measurement-error.ts';

/** An event of the attestation agent. */
export interface AaelEvent {
  /** Who says so, without white space: `github.com/confidential-containers`. */
  readonly domain: string;
  /** What happened, without white space: `PullImage`. */
  readonly operation: string;
  /** What it happened to, on one line. */
  readonly content: string;
}

/** Hashes of registers by the names that `node:crypto` knows them by. */
export type RegisterHash = 'sha256' | 'sha384' | 'sha512' | 'sm3';

/** TPM 2.0 Part 2, TPM_ALG_ID; bytes. */
const HASHES: Readonly<Record<RegisterHash, { readonly id: number; readonly bytes: number }>> = {
  sha256: { id: 0x000b, bytes: 32 },
  sha384: { id: 0x000c, bytes: 48 },
  sha512: { id: 0x000d, bytes: 64 },
  sm3: { id: 0x0012, bytes: 32 },
};

/** "AAEL" */
const AAEL = 0x4141_454c;
/** TCG PC Client Platform Firmware Profile, "Event Types". */
const EV_EVENT_TAG = 0x6;
/** Printable, and no spaces, which separate the parts of an entry. */
const TOKEN = /^[^\p{White_Space}\p{Cc}\p{Cs}]{1,256}$/u;
const MAX_TEXT_BYTES = 32 * 1024;

/**
 * `domain SP operation SP content`. Throws RuntimeMeasurementError EVENT_TOKEN_MALFORMED for a domain or an operation that is
 * empty or has white space in it: its entry could be read as that of another; EVENT_CONTENT_MALFORMED for content with a
 * line break or half characters; EVENT_TOO_LARGE.
 */
export function aaelText({ domain, operation, content }: AaelEvent): string {
  requireToken('domain', domain);
  requireToken('operation', operation);
  if (content.includes('\n') || !content.isWellFormed()) {
    throw new RuntimeMeasurementError(
      'EVENT_CONTENT_MALFORMED',
      'expected the content of an event on one line, in whole characters, got something else',
    );
  }
  const text = `${domain} ${operation} ${content}`;
  if (toUtf8(text).byteLength <= MAX_TEXT_BYTES) return text;
  throw new RuntimeMeasurementError(
    'EVENT_TOO_LARGE',
    `expected an event of at most ${MAX_TEXT_BYTES} bytes, got ${toUtf8(text).byteLength}`,
  );
}

function requireToken(name: string, value: string): void {
  if (TOKEN.test(value)) return;
  throw new RuntimeMeasurementError(
    'EVENT_TOKEN_MALFORMED',
    `expected 1 to 256 characters without white space as the ${name} of an event, got ${value.length} that are not`,
  );
}

/** TCG_PCClientTaggedEvent of an entry: what is hashed, and what the log carries. */
export function taggedEvent(text: string): Uint8Array {
  const content = toUtf8(text);
  return concatBytes(u32le(AAEL), u32le(content.byteLength), content);
}

/** What the register is extended with. */
export function eventDigest(text: string, hash: RegisterHash): Uint8Array {
  return createHash(hash).update(taggedEvent(text)).digest();
}

/** TCG_PCR_EVENT2 with one digest. `register`: as logs number it, of a TDX guest 1 to 4. */
export function logRecord(register: number, text: string, hash: RegisterHash): Uint8Array {
  const event = taggedEvent(text);
  return concatBytes(
    u32le(register), // pcrIndex
    u32le(EV_EVENT_TAG), // eventType
    u32le(1), // digests.count
    u16le(HASHES[hash].id), // digests.digests.algorithmId
    eventDigest(text, hash), // digests.digests.digest
    u32le(event.byteLength), // eventSize
    event, // event
  );
}

/** What the register holds after it was extended. */
export function extended(value: Uint8Array, digest: Uint8Array, hash: RegisterHash): Uint8Array {
  return createHash(hash).update(value).update(digest).digest();
}

export function registerBytes(hash: RegisterHash): number {
  return HASHES[hash].bytes;
}

export function hashId(hash: RegisterHash): number {
  return HASHES[hash].id;
}

export function u32le(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}

export function u16le(value: number): Uint8Array {
  return Uint8Array.of(value & 0xff, value >>> 8);
}
