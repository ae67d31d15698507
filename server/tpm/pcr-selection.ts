import type { ByteReader } from '../bytes/byte-reader.ts';
import { TpmError } from './tpm-error.ts';
import { hashOf, type TpmHash } from './tpm-hash.ts';

/** The PCRs of one bank that a quote covers, by number, ascending. */
export interface BankSelection {
  readonly bank: TpmHash;
  readonly indices: readonly number[];
}

/** In the order in which the quote names its banks, which is the order of the values under its digest. */
export type PcrSelection = readonly BankSelection[];

/** There are four hashes that a bank may use; a list that is longer names one twice. */
const MAX_BANKS = 4;
/** TPMS_PCR_SELECTION.sizeofSelect: 3 on a PC, 4 is what TPMs have room for. */
const MAX_SELECT_BYTES = 4;

/**
 * Reads a TPML_PCR_SELECTION (TPM 2.0 Part 2, sections 10.6 and 10.9). A bank that is named twice is refused: nobody
 * could tell whose value is whose. Throws TpmError PCR_SELECTION_MALFORMED, PCR_BANK_UNSUPPORTED; MalformedError TRUNCATED.
 */
export function readPcrSelection(reader: ByteReader): PcrSelection {
  const count = reader.u32be();
  if (count > MAX_BANKS) throw malformed(`at most ${MAX_BANKS} banks`, `${count}`);
  const selection: BankSelection[] = [];
  for (let read = 0; read < count; read++) {
    const bank = hashOf(reader.u16be(), unsupported);
    if (selection.some((other) => other.bank === bank)) throw malformed('each bank once', `${bank} twice`);
    selection.push({ bank, indices: readBitmap(reader) });
  }
  return selection;
}

/** How many values a selection covers, over all of its banks. */
export function selectedCount(selection: PcrSelection): number {
  return selection.reduce((total, { indices }) => total + indices.length, 0);
}

/** Bit n of byte m stands for PCR 8·m + n. */
function readBitmap(reader: ByteReader): readonly number[] {
  const length = reader.u8();
  if (length === 0 || length > MAX_SELECT_BYTES) {
    throw malformed(`a bitmap of 1 to ${MAX_SELECT_BYTES} bytes`, `${length}`);
  }
  return [...reader.bytes(length)].flatMap((byte, index) =>
    [0, 1, 2, 3, 4, 5, 6, 7].filter((bit) => (byte & (1 << bit)) !== 0).map((bit) => 8 * index + bit),
  );
}

function malformed(expected: string, came: string): TpmError {
  return new TpmError(
    'PCR_SELECTION_MALFORMED',
    `expected ${expected} in the selection of the quote, got ${came}`,
  );
}

function unsupported(name: string): TpmError {
  return new TpmError('PCR_BANK_UNSUPPORTED', `expected PCR banks of SHA-1 or SHA-2, got ${name}`);
}
