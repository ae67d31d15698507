import { ByteReader } from '../../../server/bytes/byte-reader.ts';
import { concatBytes } from '../../../server/bytes/byte-strings.ts';
import { fromUtf8, toUtf8 } from '../../../server/bytes/encoding.ts';
import { isCodedError } from '../../../server/errors/coded-error.ts';
import { aaelText, type RegisterHash, registerBytes } from './aael-event.ts';

/** What is about to be measured. */
export interface WriteAheadEntry {
  /** Where the record goes in the log, in bytes. */
  readonly offset: number;
  /** What the register holds once it is extended. */
  readonly expected: Uint8Array;
  readonly text: string;
  /** As logs number it; `undefined` for the register of the configuration. */
  readonly register: number | undefined;
}

/** Entry and register are told apart by the line break, which content cannot have. */
const FORM = /^(\S+) (\S+) ([^\n]*)(?:\n(0|[1-9][0-9]{0,9}))?$/;

/**
 * Upstream's file: the offset in eight bytes, big-endian, the expected value, the text. Behind a line break, the number of
 * the register where it is not that of the configuration, which upstream's does not say and guesses wrong after a crash.
 */
export function encodeWriteAhead({ offset, expected, text, register }: WriteAheadEntry): Uint8Array {
  const head = new Uint8Array(8);
  new DataView(head.buffer).setBigUint64(0, BigInt(offset), false);
  return concatBytes(head, expected, toUtf8(register === undefined ? text : `${text}\n${register}`));
}

/** `undefined` for what is not an entry. */
export function decodeWriteAhead(bytes: Uint8Array, hash: RegisterHash): WriteAheadEntry | undefined {
  try {
    const reader = new ByteReader(bytes);
    const offset = Number(reader.u64be());
    const expected = reader.bytes(registerBytes(hash));
    const parts = FORM.exec(fromUtf8(reader.bytes(reader.remaining)));
    const [, domain = '', operation = '', content = '', register] = parts ?? [];
    if (!Number.isSafeInteger(offset)) return undefined;
    const text = aaelText({ domain, operation, content });
    return { offset, expected, text, register: register === undefined ? undefined : Number(register) };
  } catch (error) {
    if (isCodedError(error)) return undefined;
    throw error;
  }
}
